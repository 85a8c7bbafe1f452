import Autodiff
import Tensors

/// The Fourier integral operator: multiplies the channels of every kept mode by a complex matrix.
///
/// Input `[sample, inputs, ...grid]`, output `[sample, outputs, ...grid]` on any grid that holds the modes.
/// `weight` is `[m, 2, inputs, outputs]` for one axis, `[2m₁, m₂, 2, inputs, outputs]` for two and `[2m₁, 2m₂, m₃,
/// 2, inputs, outputs]` for three (along all axes but the last the frequencies 0..m−1, then −m..−1; the axis of
/// length 2: real and imaginary parts). Real and imaginary parts
/// are U[0, 1)/(inputs · outputs), not centred, as in the original code (Li et al. 2020).
public struct SpectralConvolution: Module {
  /// The matrices of all modes.
  public let weight: Parameter

  /// A convolution with fresh weights; `modes` has one number per axis of the grid.
  public init(inputs: Int, outputs: Int, modes: [Int], using initializer: inout Initializer) {
    precondition((1...3).contains(modes.count), "modes \(modes) for a grid of one to three axes")
    let kept = Shape(count: modes.count) { $0 == modes.count - 1 ? modes[$0] : 2 * modes[$0] }
    weight = initializer.uniform(kept + [2, inputs, outputs], in: 0...1 / Double(inputs * outputs))
  }

  /// The convolution alone.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    spectralConvolution(u, weight: tape(weight))
  }
}
