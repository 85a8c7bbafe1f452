import Synchronization
import Tensors

/// Numbers that one worker reuses from step to step, aligned for FFTW and SIMD.
final class Buffer<Scalar: TensorScalar> {
  let start: UnsafeMutablePointer<Scalar>
  let count: Int
  private let memory: PooledMemory<Scalar>

  /// Zeros.
  init(count: Int) {
    self.count = count
    memory = PooledMemory(count: count)
    start = memory.start
    start.initialize(repeating: 0, count: count)
  }

  convenience init(_ values: [Scalar]) {
    self.init(count: values.count)
    start.update(from: values, count: count)
  }
}

/// A buffer of numbers in double precision, in which all solvers give their results.
typealias Workspace = Buffer<Double>

/// Solves sample after sample in parallel, one workspace per worker.
///
/// - Parameter idle: where workers are taken from and put back, if they are to be kept: where samples come one at a time, as
///   in the generation of datasets, that saves making a worker for each, its memory and the time in which it is cleared.
/// - Returns: `[sample, ...outputShape]`.
/// - Throws: the error of the lowest sample that failed, whatever the number of threads.
func solveEachSample<Worker>(
  of inputs: Tensor<Double>, outputShape: Shape, keptIn idle: IdleObjects<Worker>? = nil,
  makeWorker: () throws -> Worker,
  solve: (Worker, _ sample: Int, UnsafePointer<Double>, UnsafeMutablePointer<Double>) throws -> Void
) throws -> Tensor<Double> {
  let samples = inputs.shape[0]
  let inputStride = inputs.shape.dropFirst().reduce(1, *)
  let outputStride = outputShape.reduce(1, *)
  var workers: [Worker] = []
  defer { if let idle { for worker in workers { idle.putBack(worker) } } }
  for _ in 0..<max(1, min(samples, Parallelism.threadCount)) {
    workers.append(try idle?.take(orMake: makeWorker) ?? makeWorker())
  }
  let failure = Mutex<(sample: Int, error: any Error)?>(nil)
  let result = Tensor<Double>(shape: [samples] + outputShape) { output in
    inputs.withUnsafeBuffer { input in
      guard samples > 0 else { return }
      let (source, target) = (input.baseAddress!, output.baseAddress!)
      parallelForEach(samples, workers: workers.count) { sample, worker in
        do {
          try solve(
            workers[worker], sample, source + sample * inputStride, target + sample * outputStride)
        } catch {
          failure.withLock { if sample < $0?.sample ?? .max { $0 = (sample, error) } }
        }
      }
    }
  }
  if let failed = failure.withLock({ $0 }) { throw failed.error }
  return result
}
