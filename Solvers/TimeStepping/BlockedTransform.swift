import Tensors

/// Complex transforms of a batch of arrays along one axis, block by block.
///
/// FFTW takes no longer for the blocks than for the whole batch. Threads share them, so that a single field uses the whole
/// machine, and what follows a transform finds a block in the cache. Blocks do not depend on the number of threads, and so
/// no bit of the results does.
struct BlockedTransform {
  /// How many blocks there are.
  let blocks: Int

  private let batch: Int
  private let block: Int
  private let arrayDistance: Int  // between the first scalars of neighbouring arrays
  private let whole: FourierTransform<Double>
  private let rest: FourierTransform<Double>?  // of the last block, if that is smaller

  /// Transforms of `batch` arrays of `points` complex numbers: one after another, or, with a `row`, interleaved, as
  /// `FourierTransform` has them.
  init(_ kind: FourierTransformKind, points: Int, batch: Int, row: Int? = nil) {
    self.batch = batch
    // Two blocks fit into any second cache, and one is worth the microsecond that waking a thread for it takes; a smaller
    // field as a whole is not.
    block = points * batch <= 4096 ? batch : min(batch, max(8, 2048 / points))
    blocks = (batch + block - 1) / block
    arrayDistance = row == nil ? 2 * points : 2
    let make = { count in
      FourierTransform<Double>(
        kind, shape: [points], batch: count, interleaved: row != nil, row: row)
    }
    whole = make(block)
    rest = batch % block == 0 ? nil : make(batch % block)
  }

  /// The arrays of a block.
  func arrays(of index: Int) -> Range<Int> { index * block..<min(batch, (index + 1) * block) }

  /// The scalar from which a block goes.
  func offset(of index: Int) -> Int { index * block * arrayDistance }

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
        transform(block: index, input + offset(of: index), into: output + offset(of: index))
      }
    }
  }
}
