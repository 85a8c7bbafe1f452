import Autodiff
import Tensors

/// The names of `neuralop.models.FNO` in neuraloperator 2.0.
///
/// The spectral weights of a layer are one complex array `[inputs, outputs, ...modes]` with the frequencies −m..m−1 in
/// order along all axes but the last. The layer's bias stands behind the spectral convolution there and
/// behind the pointwise map here, which is the same sum.
func neuraloperatorPlacements(of model: FNO) throws -> [WeightPlacement] {
  let configuration = model.configuration
  guard configuration.normalization == .none else {
    throw WeightLayoutError(
      description: "the layout neuralop has no batch normalisation, this model has; use the layout fno2020")
  }
  // Twice is as once for ReLU.
  guard
    configuration.mixingWidth != nil || configuration.activatesTwice == true
      || configuration.activation == .relu
  else {
    throw WeightLayoutError(
      description:
        "neuraloperator 2.0 activates twice where no mixing of channels stands between, so it has no model "
        + "like this one with GELU; train with model.double_activation or model.mixing_width, or use the layout "
        + "fno2020")
  }
  guard configuration.padding.allSatisfy({ $0 == 0 }) else {
    throw WeightLayoutError(
      description:
        "the layout neuralop pads in proportion to the grid, this model by \(configuration.padding) "
        + "points; train without padding, or use the layout fno2020")
  }
  let dimensions = configuration.dimensions
  let ones = Shape(repeating: 1, count: dimensions)
  var placements: [WeightPlacement] = []
  func add(_ name: String, _ maps: PointwiseLinear...) {
    for (index, map) in maps.enumerated() {
      placements.append(
        WeightPlacement("\(name).fcs.\(index).weight", map.weight.value.shape + [1], map.weight))
      placements.append(WeightPlacement("\(name).fcs.\(index).bias", map.bias.value.shape, map.bias))
    }
  }
  func skip(_ name: String, _ weight: Parameter?) -> [WeightPlacement] {
    guard let weight else { return [] }
    return weight.value.rank == 1
      ? [WeightPlacement("\(name).weight", [1, configuration.width] + ones, weight)]
      : [WeightPlacement("\(name).conv.weight", weight.value.shape + [1], weight)]
  }
  if let lifting = model.lifting as? Perceptron {
    add("lifting", lifting.hidden, lifting.output)
  } else if let lifting = model.lifting as? PointwiseLinear {
    add("lifting", lifting)
  }
  for (index, layer) in model.layers.enumerated() {
    placements += [
      spectralWeights("fno_blocks.convs.\(index).weight.tensor", layer.spectral, modes: configuration.modes),
      WeightPlacement("fno_blocks.convs.\(index).bias", [configuration.width] + ones, layer.skip.bias),
    ]
    placements += skip("fno_blocks.fno_skips.\(index)", layer.skip.weight)
    guard let mixing = layer.mixing else { continue }
    add("fno_blocks.channel_mlp.\(index)", mixing.perceptron.hidden, mixing.perceptron.output)
    placements += skip("fno_blocks.channel_mlp_skips.\(index)", mixing.gate ?? mixing.skipWeight)
  }
  add("projection", model.projection.hidden, model.projection.output)
  return placements
}

private func spectralWeights(
  _ name: String, _ spectral: SpectralConvolution, modes: [Int]
) -> WeightPlacement {
  let shape = spectral.weight.value.shape
  let (inputs, outputs) = (shape[shape.count - 2], shape[shape.count - 1])
  let strides = shape.indices.map { shape[($0 + 1)...].reduce(1, *) }
  let kept = shape.prefix(modes.count)
  var places: [Int] = []
  for input in 0..<inputs {
    for output in 0..<outputs {
      for mode in 0..<kept.elementCount {
        var place = input * strides[shape.count - 2] + output
        var rest = mode
        for axis in modes.indices.reversed() {
          let index = rest % kept[axis]
          // Frequency index - m lies at index - m, or behind the positive ones if it is negative.
          let row = axis == modes.count - 1 ? index : (index + modes[axis]) % kept[axis]
          place += row * strides[axis]
          rest /= kept[axis]
        }
        places += [place, place + strides[modes.count]]
      }
    }
  }
  return WeightPlacement(name, [inputs, outputs] + kept, isComplex: true, spectral.weight, places)
}
