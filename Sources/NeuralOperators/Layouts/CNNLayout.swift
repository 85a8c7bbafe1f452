import Autodiff
import Tensors

/// The names of the convolutional backbone and of what it becomes by XD: those of `fno2020Placements` with `conv0.weight`
/// for the kernels, and `conv0.K.0.twiddle` and so on for the K-matrices of an XD-operation along an axis.
///
/// Twiddles are complex, `[1, block, factor, pair, 2, 2]`, the shape of torch_butterfly; whether the strides of
/// the first block increase follows from the letter: K's do, those of L and M decrease.
func cnnPlacements(of model: CNN) -> [WeightPlacement] {
  var placements = pointwisePlacements("fc0", model.lifting)
  for (index, layer) in model.layers.enumerated() {
    let convolution = layer.convolution
    placements.append(
      WeightPlacement("conv\(index).weight", convolution.weight.value.shape, convolution.weight))
    if let architecture = convolution.architecture {
      for (letter, matrices) in [("K", architecture.k), ("L", architecture.l), ("M", architecture.m)] {
        for (axis, matrix) in matrices.enumerated() {
          placements.append(
            WeightPlacement(
              "conv\(index).\(letter).\(axis).twiddle", [1] + matrix.twiddle.value.shape.dropLast(),
              isComplex: true, matrix.twiddle))
        }
      }
    }
    placements += pointwisePlacements("w\(index)", layer.skip, trailing: 1)
    placements += layer.normalization.map { normalizationPlacements("bn\(index)", $0) } ?? []
  }
  return placements + pointwisePlacements("fc1", model.projection.hidden)
    + pointwisePlacements("fc2", model.projection.output)
}
