import Tensors

/// Numbers that training changes: a value, and the gradient of the last loss with respect to it.
///
/// The only class in a model. The tape, the optimiser and the checkpoint hold references to the same
/// parameter, so none of them needs to know how the model is put together. Its name is that of the property
/// that holds it (see `Module.namedParameters`). Not Sendable: one training loop owns a model.
public final class Parameter {
  /// What a parameter decides; the optimizer may treat the two differently.
  public enum Role: String, Codable, Sendable, CaseIterable {
    /// How strongly an operation does what it does: weights, biases, statistics.
    case weight
    /// Which operation it is: the K-matrices of an XD-operation.
    case architecture
  }

  /// The numbers.
  public var value: Tensor<Float>
  /// The sum of the gradients since it was last set to nil; of the same shape as `value`.
  public var gradient: Tensor<Float>?
  /// False for what belongs in a checkpoint but is not found by descent (running statistics), and for
  /// frozen weights.
  public var isTrainable: Bool
  /// What the parameter decides.
  public let role: Role

  /// A parameter with its initial value.
  public init(_ value: Tensor<Float>, isTrainable: Bool = true, role: Role = .weight) {
    self.value = value
    self.isTrainable = isTrainable
    self.role = role
  }

  /// Adds to the gradient.
  func accumulate(_ contribution: Tensor<Float>) {
    precondition(
      contribution.shape == value.shape, "gradient \(contribution.shape) of a parameter \(value.shape)")
    add(contribution, to: &gradient)
  }
}

/// Adds a tensor to a sum that may still be empty.
func add(_ contribution: Tensor<Float>, to sum: inout Tensor<Float>?) {
  guard var total = sum.take() else {
    sum = contribution
    return
  }
  precondition(
    total.shape == contribution.shape, "gradients \(total.shape) and \(contribution.shape) differ in shape")
  total.withUnsafeMutableBuffer { total in
    let total = total
    contribution.start { contribution in
      parallelFor(total.count, grain: 65_536) { range in
        Float.axpy(range.count, 1, contribution + range.lowerBound, total.baseAddress! + range.lowerBound)
      }
    }
  }
  sum = total
}
