import Autodiff
import Tensors

/// The names of the original code (Li et al., 2020) as one would write them for any number of axes and layers.
///
/// The spectral weights of a layer lie in one complex array `[inputs, outputs, ...modes]` for every choice of
/// signs of the frequencies along all axes but the last: `weights1` has only positive ones, the sign of the
/// first axis changes fastest. Models with batch normalisation are those of 2020, whose pointwise maps act on
/// flattened grids, with kernels `[outputs, inputs, 1]`; those without are of the later code, with one more
/// axis of length 1 for every axis of the grid. The lifting takes the input channels, then the coordinates.
func fno2020Placements(of model: FNO) throws -> [WeightPlacement] {
  let configuration = model.configuration
  guard let lifting = model.lifting as? PointwiseLinear, configuration.mixingWidth == nil,
    configuration.skip ?? .linear == .linear, configuration.activatesTwice != true
  else {
    throw WeightLayoutError(
      description:
        "the layout fno2020 has a linear lifting, linear skip connections and nothing behind a Fourier layer, this "
        + "model has something else there; use the layout neuralop")
  }
  var placements = pointwisePlacements("fc0", lifting)
  for (index, layer) in model.layers.enumerated() {
    placements += spectralBlocks("conv\(index)", layer.spectral, modes: configuration.modes)
    placements += pointwisePlacements(
      "w\(index)", layer.skip.weight, layer.skip.bias,
      trailing: layer.normalization == nil ? configuration.dimensions : 1)
    placements += layer.normalization.map { normalizationPlacements("bn\(index)", $0) } ?? []
  }
  return placements + pointwisePlacements("fc1", model.projection.hidden)
    + pointwisePlacements("fc2", model.projection.output)
}

/// A linear map as PyTorch keeps it, with axes of length 1 behind the channels where it is a convolution.
func pointwisePlacements(_ name: String, _ map: PointwiseLinear, trailing: Int = 0) -> [WeightPlacement] {
  pointwisePlacements(name, map.weight, map.bias, trailing: trailing)
}

private func pointwisePlacements(
  _ name: String, _ weight: Parameter?, _ bias: Parameter, trailing: Int
) -> [WeightPlacement] {
  let ones = Shape(repeating: 1, count: trailing)
  return (weight.map { [WeightPlacement("\(name).weight", $0.value.shape + ones, $0)] } ?? [])
    + [WeightPlacement("\(name).bias", bias.value.shape, bias)]
}

/// Batch normalisation as PyTorch keeps it.
func normalizationPlacements(_ name: String, _ normalization: BatchNormalization) -> [WeightPlacement] {
  [
    ("weight", normalization.scale), ("bias", normalization.shift),
    ("running_mean", normalization.running.mean), ("running_var", normalization.running.variance),
  ].map { WeightPlacement("\(name).\($0)", $1.value.shape, $1) }
}

/// One array for every corner of the spectrum.
private func spectralBlocks(
  _ name: String, _ spectral: SpectralConvolution, modes: [Int]
) -> [WeightPlacement] {
  let shape = spectral.weight.value.shape
  let (inputs, outputs) = (shape[shape.count - 2], shape[shape.count - 1])
  let leading = modes.count - 1
  let strides = shape.indices.map { shape[($0 + 1)...].reduce(1, *) }
  return (0..<1 << leading).map { corner in
    // The first mode of the corner: 0, or that of frequency -m.
    let origin = (0..<modes.count).map { axis in
      axis < leading && corner >> axis & 1 == 1 ? modes[axis] : 0
    }
    var places: [Int] = []
    for input in 0..<inputs {
      for output in 0..<outputs {
        for mode in 0..<modes.reduce(1, *) {
          var place = input * strides[shape.count - 2] + output
          var rest = mode
          for axis in modes.indices.reversed() {
            place += (origin[axis] + rest % modes[axis]) * strides[axis]
            rest /= modes[axis]
          }
          places += [place, place + strides[modes.count]]
        }
      }
    }
    return WeightPlacement(
      "\(name).weights\(corner + 1)", [inputs, outputs] + modes, isComplex: true, spectral.weight, places)
  }
}
