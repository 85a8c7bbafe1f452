import Autodiff
import Tensors

/// The names of the parts of a convolutional network, with PyTorch's names and shapes for what is in a part.
///
/// `lifting`, `blocks.0.first.convolution` and so on are the properties of our models; a PyTorch module whose
/// attributes have these names takes the arrays with `load_state_dict`. Normalisations are `weight`, `bias`,
/// `running_mean`, `running_var`, maps of channels are 1×1 convolutions, K-matrices are `K.0.twiddle` and so on, as in
/// the layout fno2020.
func plainPlacements(of model: any Module, dimensions: Int) -> [WeightPlacement] {
  let ones = Shape(repeating: 1, count: dimensions)
  return model.namedParameters.map { name, parameter in
    let shape = parameter.value.shape
    if name.hasSuffix(".twiddle") {
      let name = ["k", "l", "m"].reduce(name) {
        $0.replacing(".architecture.\($1).", with: ".\($1.uppercased()).")
      }
      return WeightPlacement(name, [1] + shape.dropLast(), isComplex: true, parameter)
    }
    return WeightPlacement(pyTorchName(name), shape.count == 2 ? shape + ones : shape, parameter)
  }
}

/// What PyTorch calls the numbers of a normalisation.
private func pyTorchName(_ name: String) -> String {
  let names = [
    (".normalization.scale", ".weight"), (".normalization.shift", ".bias"),
    (".normalization.running.mean", ".running_mean"), (".normalization.running.variance", ".running_var"),
  ]
  for (ours, theirs) in names where name.hasSuffix(ours) {
    return name.dropLast(ours.count) + ".normalization" + theirs
  }
  return name
}
