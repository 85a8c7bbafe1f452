import Autodiff

/// A model that ends in a perceptron, the same at every point.
public protocol ProjectedModel: Module {
  /// From the channels of the layers to the output.
  var projection: Perceptron { get }

  /// What the projection acts on: the fields behind all layers.
  func hiddenFields(_ u: Variable, on tape: Tape) -> Variable
}

extension ProjectedModel {
  /// The output fields.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    projection(hiddenFields(u, on: tape), on: tape)
  }

  /// The loss of the output fields, found together with what the projection does.
  public func loss(_ u: Variable, comparedWith comparison: FieldComparison, on tape: Tape) -> FieldLoss {
    projection.loss(hiddenFields(u, on: tape), comparedWith: comparison, on: tape)
  }
}
