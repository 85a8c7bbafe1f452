import CKernels
import Tensors

extension ConvolutionGeometry {
  /// The points that a transposed convolution makes of a grid: the convolution of this geometry maps them back.
  ///
  /// - Parameter outputPadding: how many points more, since several grids have the same image; less than the stride.
  public func transposedGrid(_ grid: Shape, outputPadding: [Int]? = nil) -> Shape {
    Shape(count: grid.count) {
      (grid[$0] - 1) * stride[$0] + span[$0] - 2 * padding[$0] + (outputPadding?[$0] ?? 0)
    }
  }

  /// Why there is no such transposed convolution on a grid, or nil if there is.
  public func transposedProblem(grid: Shape, outputPadding: [Int]? = nil) -> String? {
    if let problem { return problem }
    let extra = outputPadding ?? kernel.map { _ in 0 }
    guard grid.count == kernel.count, extra.count == kernel.count else {
      return "a kernel \(kernel) with output padding \(extra) on a grid \(grid)"
    }
    for axis in kernel.indices where !(0..<stride[axis]).contains(extra[axis]) {
      return
        "an output padding of \(extra[axis]) with a stride of \(stride[axis]): it must be less, and not negative"
    }
    let result = transposedGrid(grid, outputPadding: extra)
    guard result.allSatisfy({ $0 > 0 }) else {
      return "the padding \(padding) leaves nothing of a grid \(grid)"
    }
    return problem(grid: result)
  }
}

/// A transposed convolution: the adjoint of the convolution of the same geometry, plus a bias.
///
/// Strides make the grid finer: y_o[stride·t + dilation·j − padding] += Σ_i w_io[j] x_i[t]. Shapes: u `[sample, I, ...grid]`, weight
/// `[I, O/groups, ...kernel]`, bias `[O]`, result `[sample, O, ...transposedGrid]`: PyTorch's.
/// - Parameter outputPadding: points added at the ends of the result's axes, less than the stride; 0 if nil.
public func transposedConvolution(
  _ u: Variable, weight: Variable, bias: Variable?, _ geometry: ConvolutionGeometry,
  outputPadding: [Int]? = nil
) -> Variable {
  let given = FieldShape(u.shape)
  if let problem = geometry.transposedProblem(grid: given.grid, outputPadding: outputPadding) {
    preconditionFailure(problem)
  }
  let outputs = weight.shape[1] * geometry.groups
  precondition(
    weight.shape[0] == given.channels, "a kernel \(weight.shape) does not fit \(given.channels) channels")
  precondition(bias.map { $0.shape == [outputs] } ?? true, "a bias for \(outputs) channels")
  let shape = [given.samples, outputs] + geometry.transposedGrid(given.grid, outputPadding: outputPadding)
  // The convolution that this is the adjoint of: from the result's grid to that of `u`.
  let kernel = ConvolutionKernel(geometry, input: FieldShape(shape), weight: weight.shape)
  var value = kernel.adjoint(u.value, weight.value)
  if let bias = bias?.value.scalars {
    let points = kernel.input.points
    value.withUnsafeMutableBuffer { value in
      nonisolated(unsafe) let start = value.baseAddress!
      parallelFor(given.samples * outputs, grain: max(1, 16_384 / points)) { range in
        for plane in range { ck_add_constant_f32(points, bias[plane % outputs], start + plane * points) }
      }
    }
  }
  let inputs = VariableList(u, weight, bias ?? weight.withoutGradient)
  return Variable(value, from: inputs, saving: (kernel, u.value, weight.value)) { saved, gradient, inputs in
    let ((kernel, u, weight), gradient) = (saved, gradient)
    if inputs.isNeeded(0) { inputs.add(kernel.forward(gradient, weight, bias: nil), to: 0) }
    if inputs.isNeeded(1) { inputs.add(kernel.weightGradient(u, gradient), to: 1) }
    if inputs.isNeeded(2) { inputs.add(channelSums(gradient, kernel.input), to: 2) }
  }
}

/// The weight `[I, O/groups, ...kernel]` of a transposed convolution as that of a convolution between the same channels,
/// `[O, I/groups, ...kernel]`: its inputs and outputs change places.
public func swapChannels(_ weight: Variable, groups: Int) -> Variable {
  Variable(swapChannels(weight.value, groups: groups), from: weight, saving: groups) {
    groups, gradient, inputs in
    inputs.add(swapChannels(gradient, groups: groups), to: 0)
  }
}

private func swapChannels(_ weight: Tensor<Float>, groups: Int) -> Tensor<Float> {
  let (rows, columns) = (weight.shape[0] / groups, weight.shape[1])
  let taps = weight.shape[2...].reduce(1, *)
  return weight.start { from in
    .filled([groups * columns, rows] + weight.shape[2...]) { to in
      for group in 0..<groups {
        for row in 0..<rows {
          for column in 0..<columns {
            (to + ((group * columns + column) * rows + row) * taps)
              .update(from: from + ((group * rows + row) * columns + column) * taps, count: taps)
          }
        }
      }
    }
  }
}
