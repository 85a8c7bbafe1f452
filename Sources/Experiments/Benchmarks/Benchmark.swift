import Autodiff
import Foundation
import Tensors

/// A piece of work to be timed: a whole training step or a whole solve, at a size that users have.
struct Benchmark {
  /// How the work is measured, in order of growing size.
  enum Size: Sendable {
    /// To see that it runs: a few hundredths of a second each.
    case small
    /// That of the papers.
    case full
  }

  /// The precision of its arithmetic, which decides the peak that it is compared with.
  enum Precision: String, Codable, Sendable {
    /// 32 bits: networks.
    case single
    /// 64 bits: solvers.
    case double
  }

  /// Its name on the command line.
  let name: String
  /// What one repetition is, in a few words.
  let summary: String
  /// The precision of the arithmetic.
  let precision: Precision
  /// The floating-point operations of one repetition as a model's layers name them; nil where that is not a useful
  /// number, as for transforms.
  var operations: Double?
  /// How many equal steps one repetition takes; times are of one of them.
  var steps = 1
  /// Prepares the work, then times its repetitions.
  let measure: (Stopwatch) throws -> Void
}

/// Times repetitions of some work: first one that is thrown away, then as many as fit into the time allowed.
final class Stopwatch {
  /// The fewest repetitions that have a median worth the name.
  private let fewest: Int
  private let limit: Double
  private var warmUps = 1
  private var total = 0.0
  /// The seconds of every repetition but the first.
  private(set) var seconds: [Double] = []
  /// The bytes that the process had when the first repetition began.
  private var bytesBefore = 0

  /// A stopwatch that allows about `limit` seconds in all, and at least `fewest` repetitions.
  init(limit: Double, fewest: Int) {
    self.limit = limit
    self.fewest = fewest
  }

  /// To be called when everything is prepared, before the first repetition: from here on memory counts.
  func begin() { bytesBefore = ProcessMemory.beginPeak() }

  /// The bytes that the repetitions so far have added to the process at its peak.
  ///
  /// Memory that was used and freed before, which the process keeps, is not counted.
  var memory: Int { max(0, ProcessMemory.peak - bytesBefore) }

  /// Whether there is time for another repetition.
  var wantsMore: Bool { seconds.count < fewest || total < limit }

  /// Counts one repetition.
  func record(_ duration: Double) {
    guard warmUps == 0 else {
      warmUps -= 1
      return
    }
    seconds.append(duration)
    total += duration
  }

  /// Repeats `work`, timing each repetition.
  func time(_ work: () throws -> Void) throws {
    begin()
    while wantsMore {
      try Interruption.check()
      let start = ContinuousClock.now
      try work()
      record(Progress.seconds(ContinuousClock.now - start))
    }
  }
}

/// What was measured of one benchmark.
struct BenchmarkResult: Encodable {
  let name: String
  let summary: String
  let precision: Benchmark.Precision
  let repetitions: Int
  /// Seconds of one step.
  let median: Double
  let minimum: Double
  let maximum: Double
  /// 10⁹ operations per second at the median.
  let gigaflops: Double?
  /// The share of what matrix products reach on this machine with the same threads.
  let fractionOfPeak: Double?
  /// The bytes that the repetitions added to the process at its peak; only right for the first benchmark of a process.
  let memory: Int

  init(_ benchmark: Benchmark, _ stopwatch: Stopwatch, peak: Double) {
    let seconds = stopwatch.seconds
    memory = stopwatch.memory
    let steps = Double(benchmark.steps)
    let sorted = seconds.sorted().map { $0 / steps }
    name = benchmark.name
    summary = benchmark.summary
    precision = benchmark.precision
    repetitions = sorted.count
    let median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    self.median = median
    minimum = sorted[0]
    maximum = sorted[sorted.count - 1]
    gigaflops = benchmark.operations.map { $0 / steps / median * 1e-9 }
    fractionOfPeak = gigaflops.map { $0 / peak }
  }
}

/// The resident memory of this process, by Linux's account.
enum ProcessMemory {
  /// The bytes resident now; the peak begins anew with them.
  static func beginPeak() -> Int {
    try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
    return read("VmRSS:")
  }

  /// The most bytes that were resident at a time since then.
  static var peak: Int { read("VmHWM:") }

  private static func read(_ field: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(field) } ?? ""
    return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
  }
}

/// What matrix products reach: the number that other arithmetic is compared with.
enum MatrixPeak {
  /// 10⁹ operations per second in single precision: OpenBLAS's square products, or this program's own of a network's shape
  /// where they are faster, as on processors that OpenBLAS does not know.
  static func measureSingle() -> Double {
    max(
      measure(Float.self),
      measure(Float.self, rows: 128, columns: 768, inner: 128) { a, b, c in
        MatrixKernels.multiply(rows: 128, columns: 768, inner: 128, a, b, into: c)
      })
  }

  /// The same in double precision, by OpenBLAS alone.
  static func measureDouble() -> Double { measure(Double.self) }

  private static func measure<Scalar: TensorScalar>(_ type: Scalar.Type) -> Double {
    let shape = MatrixProduct(rows: 512, columns: 512, inner: 512)
    return measure(type, rows: 512, columns: 512, inner: 512) { a, b, c in Scalar.gemm(shape, 1, a, b, 0, c) }
  }

  /// Products on all threads at once, the best repetition of a quarter of a second.
  ///
  /// A new thread may begin on the processor of the one that started it, and take tens of milliseconds to get its own.
  private static func measure<Scalar: TensorScalar>(
    _ type: Scalar.Type, rows: Int, columns: Int, inner: Int,
    _ multiply: (UnsafePointer<Scalar>, UnsafePointer<Scalar>, UnsafeMutablePointer<Scalar>) -> Void
  ) -> Double {
    let threads = Parallelism.threadCount
    let left = Tensor<Scalar>(shape: [rows, inner], repeating: 0.5)
    let right = Tensor<Scalar>(shape: [inner, columns], repeating: 0.5)
    let resultCount = rows * columns
    var best = Double.infinity
    _ = Tensor<Scalar>(shape: [threads, resultCount]) { results in
      nonisolated(unsafe) let results = results.baseAddress!
      withPointers(left, right) { left, right in
        let end = ContinuousClock.now + .milliseconds(250)
        while ContinuousClock.now < end {
          let start = ContinuousClock.now
          parallelForEach(threads) { index, _ in multiply(left, right, results + index * resultCount) }
          best = min(best, Progress.seconds(ContinuousClock.now - start))
        }
      }
    }
    return 2 * Double(resultCount * inner * threads) / best * 1e-9
  }
}
