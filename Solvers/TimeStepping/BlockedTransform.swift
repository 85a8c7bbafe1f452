import Tensors

/// Transforms of a batch of arrays along one axis, block by block.
///
/// FFTW takes no longer for the blocks than for the whole batch. Threads share them, so that a single field uses the whole
/// machine, and what follows a transform finds a block in the cache. Blocks do not depend on the number of threads, and so
/// no bit of the results does.
struct BlockedTransform {
  /// How many blocks there are.
  let blocks: Int

  private let batch: Int
  private let block: Int
  // Between the first scalars of neighbouring arrays.
  private let inputDistance: Int
  private let outputDistance: Int
  private let whole: FourierTransform<Double>
  private let rest: FourierTransform<Double>?  // of the last block, if that is smaller

  /// Transforms of `batch` arrays of `points` numbers: one after another, or, with a `row`, interleaved, as
  /// `FourierTransform` has them.
  init(_ kind: FourierTransformKind, points: Int, batch: Int, row: Int? = nil) {
    self.batch = batch
    // Two blocks fit into any second cache, and one is worth the microsecond that waking a thread for it takes; a smaller
    // field as a whole is not. An even number of arrays, so that every block is aligned as FFTW wants it.
    block = points * batch <= 4096 ? batch : min(batch, 2 * max(4, 1024 / points))
    blocks = (batch + block - 1) / block
    let make = { count in
      FourierTransform<Double>(kind, shape: [points], batch: count, interleaved: row != nil, row: row)
    }
    whole = make(block)
    rest = batch % block == 0 ? nil : make(batch % block)
    inputDistance = row == nil ? whole.inputCount : 2
    outputDistance = row == nil ? whole.outputCount : 2
  }

  /// The arrays of a block.
  func arrays(of index: Int) -> Range<Int> { index * block..<min(batch, (index + 1) * block) }

  /// The first scalar of a block of the input.
  func inputOffset(of index: Int) -> Int { index * block * inputDistance }

  /// The first scalar of a block of the output.
  func outputOffset(of index: Int) -> Int { index * block * outputDistance }

  /// Transforms the block of that number; both pointers are to its first number.
  func transform(
    block index: Int, _ input: UnsafeMutablePointer<Double>, into output: UnsafeMutablePointer<Double>
  ) {
    let transform = index == blocks - 1 ? rest ?? whole : whole
    transform(input, output)
  }

  /// Transforms all blocks, on several threads.
  func callAsFunction(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>) {
    parallelFor(blocks) { range in
      for index in range {
        transform(block: index, input + inputOffset(of: index), into: output + outputOffset(of: index))
      }
    }
  }
}

/// The largest number that the blocks of a field have found, at least 0; not a number if one of them is none.
func largest(of numbers: some Sequence<Double>) -> Double {
  numbers.reduce(0) { $1 > $0 || $1.isNaN ? $1 : $0 }
}
