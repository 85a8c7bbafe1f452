import Tensors

/// A K-matrix along one axis of complex arrays: y = K x for every line along the axis.
///
/// Shapes: u `[vector, ...grid, 2]`, twiddle `product.twiddleShape`, result `[vector, ...grid, 2]` with the
/// axis (counted without the first) of the length `outputLength`. Lines that are shorter than the matrix are
/// continued by zeros; of the result the first `outputLength` entries are kept, by default all.
public func kMatrixProduct(
  _ u: Variable, twiddle: Variable, _ product: ButterflyProduct, axis: Int, outputLength: Int? = nil
) -> Variable {
  let (vectors, grid) = (u.shape[0], u.shape.dropFirst().dropLast())
  precondition(u.shape.last == 2 && grid.indices.contains(axis), "no axis \(axis) of complex \(u.shape)")
  precondition(
    grid[axis] <= product.size && twiddle.shape == product.twiddleShape,
    "a K-matrix of size \(product.size) with twiddles \(twiddle.shape) on \(grid[axis]) points")
  var outputGrid = grid
  outputGrid[axis] = outputLength ?? product.size
  func layout(_ grid: Shape) -> FieldLayout {
    FieldLayout(
      strides: grid.indices.map { grid[($0 + 1)...].reduce(2, *) }, lane: grid.reduce(2, *), imaginary: 1)
  }
  let width = min(LaneBlock.largest(size: [product.size]), LaneBlock(lanes: vectors).width)
  let pipeline = LinePipeline(
    axes: grid.indices.map { (product, .init(count: grid[$0]), .init(count: outputGrid[$0])) },
    order: [axis], width: width, source: layout(grid), target: layout(outputGrid))
  let blocks = (vectors + width - 1) / width
  let (count, outputCount) = (grid.reduce(2, *), outputGrid.reduce(2, *))

  let matrices = product.matrices(twiddle.value)
  let value = withPointers(u.value, matrices) { u, matrices in
    Tensor<Float>.filled([vectors] + outputGrid + [2]) { result in
      parallelFor(blocks) { range in
        withScratch(pipeline.scratchCount(gradient: false)) { scratch in
          for first in stride(from: range.lowerBound * width, to: range.upperBound * width, by: width) {
            pipeline.forward(
              LaneBlock(lanes: min(width, vectors - first)), matrices: matrices, from: u + first * count,
              to: result + first * outputCount, scratch: scratch)
          }
        }
      }
    }
  }
  let saved = (product, pipeline, width, matrices, u.value, twiddle.value, outputCount)
  return Variable(value, from: [u, twiddle], saving: saved) { saved, gradient, inputs in
    let ((product, pipeline, width, matrices, u, twiddle, outputCount), gradient) = (saved, gradient)
    let (shape, vectors, blocks) = (u.shape, u.shape[0], (u.shape[0] + width - 1) / width)
    let count = u.count / max(1, vectors)
    var terms = Tensor<Float>(shape: [blocks, product.twiddleCount])
    let inputGradient = withPointers(u, matrices, gradient) { u, matrices, gradient in
      Tensor<Float>.filled(shape) { result in
        terms.withUnsafeMutableBuffer { terms in
          let terms = terms.baseAddress!
          parallelFor(blocks) { range in
            withScratch(pipeline.scratchCount(gradient: true)) { scratch in
              for block in range {
                let first = block * width
                pipeline.backward(
                  LaneBlock(lanes: min(width, vectors - first)), matrices: matrices,
                  source: u + first * count, gradient: gradient + first * outputCount,
                  to: result + first * count, matrixGradient: terms + block * product.twiddleCount,
                  scratch: scratch)
              }
            }
          }
        }
      }
    }
    let ofMatrices = sumOverFirstAxis(terms, shape: product.twiddleShape)
    inputs.add(inputGradient, to: 0)
    inputs.add(product.twiddleGradient(matrices: ofMatrices, twiddle), to: 1)
  }
}
