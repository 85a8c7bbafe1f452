import Autodiff
import Tensors
import TestSupport
import Testing

/// The check that all gradients go through sees what is wrong with one.
@Suite struct GradientCheckTests {
  /// What an adjoint gets wrong.
  enum Mistake: CaseIterable {
    case sign, factor, oneElement, nothing
  }

  /// The identity with an adjoint that is wrong.
  private func wrong(_ u: Variable, _ mistake: Mistake) -> Variable {
    Variable(u.value, from: [u], saving: mistake) { mistake, gradient, inputs in
      let mistake = mistake
      var gradient = gradient
      gradient.withUnsafeMutableBuffer { gradient in
        switch mistake {
        case .sign: for index in gradient.indices { gradient[index].negate() }
        case .factor: for index in gradient.indices { gradient[index] *= 1.5 }
        case .oneElement: gradient[gradient.count / 2].negate()
        case .nothing: break
        }
      }
      inputs.add(gradient, to: 0)
    }
  }

  /// Field, weight and bias of a convolution, an FNO's layer and a transposed convolution: whose gradient is wrong is
  /// told, and nobody else's.
  @Test(arguments: Mistake.allCases) func aWrongAdjointIsSeen(mistake: Mistake) {
    let geometry = ConvolutionGeometry(kernel: [3], padding: [1])
    let operations: [(shapes: [Shape], operation: ([Variable]) -> Variable)] = [
      (
        [[2, 3, 8], [4, 3, 3], [4]],
        { convolution($0[0], weight: $0[1], bias: $0[2], geometry) }
      ),
      (
        [[2, 3, 8], [3, 4, 3], [4]],
        { transposedConvolution($0[0], weight: $0[1], bias: $0[2], geometry) }
      ),
      (
        [[2, 3, 8], [4, 2, 3, 2], [2, 3], [2]],
        {
          fourierLayer($0[0], weight: $0[1], skipWeight: $0[2], skipBias: $0[3], activation: .identity)
        }
      ),
    ]
    for (shapes, operation) in operations {
      let parameters = shapes.enumerated().map { Parameter(randomTensor($1, sample: $0)) }
      for index in parameters.indices {
        let errors = gradientDisagreements(parameters, step: 0.5) { tape in
          var inputs = parameters.map { tape($0) }
          inputs[index] = wrong(inputs[index], mistake)
          return operation(inputs)
        }
        for (other, error) in errors.enumerated() {
          // Right ones agree to rounding; what is wrong differs by more than a hundred times that.
          if mistake != .nothing && other == index {
            #expect(error > 1e-2, "\(shapes[other])")
          } else {
            #expect(error < 1e-4, "\(shapes[other])")
          }
        }
      }
    }
  }
}
