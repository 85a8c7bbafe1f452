import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct CosineTransformTests {
  private func transformed(_ plane: Tensor<Double>, byMatrices: Bool) -> Tensor<Double> {
    let transform = CosineTransform(shape: plane.shape, byMatrices: byMatrices)
    return Tensor(shape: plane.shape) { output in
      plane.withUnsafeBuffer { transform($0.baseAddress!, output.baseAddress!) }
    }
  }

  private func noise(_ shape: Shape) -> Tensor<Double> {
    var random = Philox(seed: 5, stream: .inputs, sample: 0)
    return random.normal(shape: shape)
  }

  /// Even and odd lengths, the shortest ones, and planes that are no squares.
  @Test(arguments: [[2, 2], [2, 3], [3, 2], [5, 4], [8, 17], [33, 16], [40, 41]])
  func bothWaysAreTheSumOfCosines(_ shape: Shape) {
    let plane = noise(shape)
    func factor(_ j: Int, _ k: Int, _ count: Int) -> Double {
      (j == 0 || j == count - 1 ? 1 : 2)
        * cos(Double.pi * Double(j * k % (2 * count - 2)) / Double(count - 1))
    }
    let expected = Tensor<Double>(
      shape: shape,
      scalars: (0..<shape[0]).flatMap { k in
        (0..<shape[1]).map { l in
          (0..<shape[0]).reduce(0.0) { sum, i in
            (0..<shape[1]).reduce(sum) {
              $0 + plane[i, $1] * factor(i, k, shape[0]) * factor($1, l, shape[1])
            }
          }
        }
      })
    // Round-off of sums of up to 1,640 terms.
    #expect(relativeError(transformed(plane, byMatrices: true), expected) < 1e-14)
    #expect(relativeError(transformed(plane, byMatrices: false), expected) < 1e-14)
  }

  /// A prime, small factors only, and neither: matrices are taken for the first and the last.
  @Test(arguments: [500, 421, 254])
  func largePlanesAreTheSameBothWays(_ count: Int) {
    let plane = noise([count, count])
    let fourier = transformed(plane, byMatrices: false)
    // Round-off of sums of up to 250,000 terms.
    #expect(relativeError(transformed(plane, byMatrices: true), fourier) < 1e-13)
    let chosen = CosineTransform(shape: [count, count])
    let result = Tensor<Double>(shape: plane.shape) { output in
      plane.withUnsafeBuffer { chosen($0.baseAddress!, output.baseAddress!) }
    }
    #expect(result == transformed(plane, byMatrices: count != 421))
  }
}
