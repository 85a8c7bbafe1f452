import Autodiff
import Tensors
import TestSupport
import Testing

/// One product: a size, a depth, an order, and the number of vectors.
struct ProductCase: CustomTestStringConvertible, Sendable {
  let size: Int
  let depth: Int
  let beginsIncreasing: Bool
  let vectors: Int

  var product: ButterflyProduct {
    ButterflyProduct(size: size, depth: depth, beginsIncreasing: beginsIncreasing)
  }
  /// Random twiddles that keep the size of vectors.
  var twiddles: Tensor<Float> {
    let values = randomTensor(product.twiddleShape, sample: 7).scalars
    return Tensor(shape: product.twiddleShape, scalars: values.map { 0.5 * $0 })
  }
  var testDescription: String {
    "size \(size), depth \(depth), \(beginsIncreasing ? "increasing" : "decreasing"), \(vectors) vectors"
  }
}

@Suite struct KMatrixProductTests {
  /// Passes of one and two factors, both orders, several blocks; full, partial and several registers.
  static let cases = [
    ProductCase(size: 2, depth: 1, beginsIncreasing: true, vectors: 1),
    ProductCase(size: 4, depth: 3, beginsIncreasing: false, vectors: 3),
    ProductCase(size: 8, depth: 1, beginsIncreasing: true, vectors: 16),
    ProductCase(size: 8, depth: 2, beginsIncreasing: false, vectors: 21),
    ProductCase(size: 16, depth: 2, beginsIncreasing: true, vectors: 40),
    ProductCase(size: 32, depth: 4, beginsIncreasing: false, vectors: 5),
    ProductCase(size: 128, depth: 1, beginsIncreasing: false, vectors: 33),
    ProductCase(size: 512, depth: 2, beginsIncreasing: true, vectors: 17),
  ]

  @Test(arguments: cases) func equalsThePlainProduct(problem: ProductCase) {
    let product = problem.product
    let length = problem.size - problem.size / 3
    let u = randomTensor([problem.vectors, length, 2], sample: 1)
    let result = kMatrixProduct(Variable(u), twiddle: Variable(problem.twiddles), product, axis: 0).value
    let twiddles = Tensor<Double>(converting: problem.twiddles).scalars
    let padding = [Double](repeating: 0, count: 2 * (problem.size - length))
    let expected = (0..<problem.vectors).flatMap { vector in
      product.multiply(
        Tensor<Double>(converting: u[first: vector..<vector + 1]).scalars + padding, twiddles: twiddles)
    }
    // Every factor rounds its sums of four products to 6e-8 relative.
    #expect(
      relativeError(Tensor<Double>(converting: result), Tensor(shape: result.shape, scalars: expected))
        < 1e-6)
  }

  @Test func everyAxisIsTransformedAlike() {
    let problem = ProductCase(size: 8, depth: 2, beginsIncreasing: false, vectors: 3)
    let u = randomTensor([3, 5, 7, 2], sample: 1)
    let twiddle = Variable(problem.twiddles)
    func transposed(_ tensor: Tensor<Float>) -> Tensor<Float> {
      var result = Tensor<Float>(shape: [tensor.shape[0], tensor.shape[2], tensor.shape[1], 2])
      for v in 0..<tensor.shape[0] {
        for i in 0..<tensor.shape[1] {
          for j in 0..<tensor.shape[2] {
            for part in 0..<2 { result[v, j, i, part] = tensor[v, i, j, part] }
          }
        }
      }
      return result
    }
    let first = kMatrixProduct(Variable(u), twiddle: twiddle, problem.product, axis: 0, outputLength: 6)
    let last = kMatrixProduct(
      Variable(transposed(u)), twiddle: twiddle, problem.product, axis: 1, outputLength: 6)
    #expect(first.shape == [3, 6, 7, 2])
    #expect(first.value == transposed(last.value))
  }

  /// Linear in the input; in the twiddles of a factor too, but not in those of several.
  @Test(arguments: cases.dropLast()) func gradient(problem: ProductCase) {
    let u = Parameter(randomTensor([problem.vectors, problem.size - problem.size / 4, 2], sample: 1))
    let twiddle = Parameter(problem.twiddles)
    let errors = gradientDisagreements([u, twiddle], step: 3e-3) {
      kMatrixProduct($0(u), twiddle: $0(twiddle), problem.product, axis: 0)
    }
    // Rounding over the step, and the step squared times the curvature of up to 20 factors.
    #expect(errors.allSatisfy { $0 < 2e-3 }, "\(errors)")
  }

  @Test func theAdjointIsThatOfTheInnerProduct() {
    let problem = ProductCase(size: 64, depth: 2, beginsIncreasing: true, vectors: 19)
    let (x, y) = (randomTensor([19, 64, 2], sample: 1), randomTensor([19, 64, 2], sample: 2))
    let u = Parameter(x)
    let tape = Tape()
    let kx = kMatrixProduct(tape(u), twiddle: Variable(problem.twiddles), problem.product, axis: 0)
    let value = withPointers(kx.value, y) { Float.dot(y.count, $0, $1) }
    tape.backward(from: innerProduct(kx, y))
    let adjoint = withPointers(x, u.gradient ?? x) { Float.dot(x.count, $0, $1) }
    let size = withPointers(kx.value) { Float.dot(y.count, $0, $0) }
    // Both are sums of 2,432 products of sizes about 1 and √size each.
    #expect(abs(value - adjoint) < 1e-5 * size.squareRoot())
  }

  @Test func gradientsDoNotDependOnTheNumberOfThreads() {
    let problem = ProductCase(size: 32, depth: 2, beginsIncreasing: true, vectors: 150)
    let u = randomTensor([150, 32, 2], sample: 1)
    let results = withThreadCounts([1, 2, 3]) {
      let parameters = [Parameter(u), Parameter(problem.twiddles)]
      let tape = Tape()
      let result = kMatrixProduct(
        tape(parameters[0]), twiddle: tape(parameters[1]), problem.product, axis: 0)
      tape.backward(from: innerProduct(result, randomTensor(result.shape, sample: 2)))
      return [result.value] + parameters.compactMap(\.gradient)
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }
}
