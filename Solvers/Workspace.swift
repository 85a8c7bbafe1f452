import Synchronization
import Tensors

/// Numbers that one worker reuses from step to step, aligned for FFTW and SIMD.
final class Workspace {
  let start: UnsafeMutablePointer<Double>
  let count: Int

  /// Zeros.
  init(count: Int) {
    self.count = count
    start = MemoryPool.take(count * MemoryLayout<Double>.stride)
      .bindMemory(to: Double.self, capacity: max(1, count))
    start.initialize(repeating: 0, count: count)
  }

  convenience init(_ values: [Double]) {
    self.init(count: values.count)
    start.update(from: values, count: count)
  }

  deinit { MemoryPool.putBack(start, count * MemoryLayout<Double>.stride) }
}

/// Solves sample after sample in parallel, one workspace per worker.
///
/// - Returns: `[sample, ...outputShape]`.
/// - Throws: the error of the lowest sample that failed, whatever the number of threads.
func solveEachSample<Worker>(
  of inputs: Tensor<Double>, outputShape: [Int], makeWorker: () throws -> Worker,
  solve: (Worker, _ sample: Int, UnsafePointer<Double>, UnsafeMutablePointer<Double>) throws -> Void
) throws -> Tensor<Double> {
  let samples = inputs.shape[0]
  let inputStride = inputs.shape.dropFirst().reduce(1, *)
  let outputStride = outputShape.reduce(1, *)
  var workers = [Worker?](repeating: nil, count: max(1, min(samples, Parallelism.threadCount)))
  for index in workers.indices { workers[index] = try makeWorker() }
  let failure = Mutex<(sample: Int, error: any Error)?>(nil)
  let result = Tensor<Double>(shape: [samples] + outputShape) { output in
    inputs.withUnsafeBuffer { input in
      guard samples > 0 else { return }
      let (source, target) = (input.baseAddress!, output.baseAddress!)
      parallelForEach(samples) { sample, worker in
        do {
          try solve(
            workers[worker]!, sample, source + sample * inputStride, target + sample * outputStride)
        } catch {
          failure.withLock { if sample < $0?.sample ?? .max { $0 = (sample, error) } }
        }
      }
    }
  }
  if let failed = failure.withLock({ $0 }) { throw failed.error }
  return result
}
