import Autodiff
import Tensors

/// How another program names and arranges the weights of a model.
///
/// A layout is a list of arrays, each with its place in the parameters of our model, so the same list writes
/// weights, reads them, and compares gradients.
public enum WeightLayout: String, Codable, Sendable, CaseIterable {
  /// The code of the first paper and of PDEBench: `fc0`, `conv0.weights1`, `w0`, `bn0`, `fc1`, `fc2`; the XD paper's
  /// has `conv0.weight` and K-matrices.
  case fno2020
  /// `neuralop.models.FNO` of neuraloperator 2.0: `lifting`, `fno_blocks`, `projection`.
  case neuralop
  /// A PyTorch module with the names of our own parts: `lifting`, `blocks.0.first.convolution`, `projection`.
  case plain
}

/// One array of a layout, and which number of which parameter each of its numbers is.
public struct WeightPlacement {
  /// The name in the other program.
  public let name: String
  /// The shape there; of complex numbers without an axis for their parts.
  public let shape: Shape
  /// Whether its numbers are complex: real and imaginary part one after the other.
  public let isComplex: Bool
  /// Our parameter.
  public let parameter: Parameter
  /// For every number of the array its position in the parameter.
  let places: [Int]

  init(
    _ name: String, _ shape: Shape, isComplex: Bool = false, _ parameter: Parameter, _ places: [Int]? = nil
  ) {
    self.name = name
    self.shape = shape
    self.isComplex = isComplex
    self.parameter = parameter
    self.places = places ?? Array(0..<parameter.value.count)
    precondition(
      self.places.count == shape.elementCount * (isComplex ? 2 : 1), "\(name) does not fit its parameter")
  }

  /// The numbers of the array in a tensor of the parameter's shape: its value or its gradient.
  public func values(in tensor: Tensor<Float>) -> [Float] {
    precondition(tensor.shape == parameter.value.shape, "\(tensor.shape) is not the parameter's shape")
    return tensor.withUnsafeBuffer { tensor in places.map { tensor[$0] } }
  }

  /// Gives the parameter the numbers of the array.
  public func assign(_ values: [Float]) {
    precondition(values.count == places.count, "\(values.count) numbers for \(places.count)")
    parameter.value.withUnsafeMutableBuffer { value in
      for (place, number) in zip(places, values) { value[place] = number }
    }
  }
}

extension WeightLayout {
  /// The arrays of a model in this layout, or why it has none.
  ///
  /// Of a model in time, those of the model inside.
  /// - Throws: `WeightLayoutError` for a model with parts that the layout has no names for.
  public func placements(of model: any Module) throws -> [WeightPlacement] {
    switch (self, model) {
    case (_, let model as RecurrentModel): return try placements(of: model.step)
    case (_, let model as SpaceTimeModel): return try placements(of: model.model)
    case (.fno2020, let model as FNO): return try fno2020Placements(of: model)
    case (.fno2020, let model as CNN): return cnnPlacements(of: model)
    case (.neuralop, let model as FNO): return try neuraloperatorPlacements(of: model)
    case (.plain, let model as CNN):
      return plainPlacements(of: model, dimensions: model.configuration.dimensions)
    case (.plain, let model as ResNet):
      return plainPlacements(of: model, dimensions: model.configuration.dimensions)
    case (.plain, let model as UNet):
      return plainPlacements(of: model, dimensions: model.configuration.dimensions)
    default:
      throw WeightLayoutError(
        description:
          "the layout \(rawValue) has no names for this kind of model; there are fno2020 for FNO, CNN and XD, "
          + "neuralop for FNO, and plain for CNN, ResNet, U-net and what XD makes of them")
    }
  }
}

/// Why a model has no form in a layout.
public struct WeightLayoutError: Error, Equatable, CustomStringConvertible {
  /// What the model has that the layout has not, and what to do.
  public let description: String

  /// An error of these words.
  public init(description: String) { self.description = description }
}
