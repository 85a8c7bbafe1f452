import CFFTW
import CKernels
import COpenBLAS
import Dispatch
import Glibc
import Synchronization

/// How many threads the kernels use, and the settings of the process that go with it.
public enum Parallelism {
  private static let chosenThreadCount = Atomic<Int>(0)

  /// The number of processors that this process may run on, whether it has time on them or not.
  public static let presentProcessorCount = Int(ck_processor_count())

  /// The number of processors that this process may run on, and has time on, as it was first asked for.
  public static let processorCount = min(presentProcessorCount, ProcessorQuota.current() ?? .max)

  /// The number of threads that `parallelFor` uses.
  ///
  /// Results do not depend on it. It may change at any time, also while others compute: who makes something for every
  /// thread asks once.
  public static var threadCount: Int {
    get {
      let chosen = chosenThreadCount.load(ordering: .relaxed)
      return chosen > 0 ? chosen : processorCount
    }
    set { chosenThreadCount.store(max(1, newValue), ordering: .relaxed) }
  }

  /// The number of threads among which `parallelFor` would share out a loop here: one inside another such loop.
  public static var freeThreadCount: Int { ck_is_sharing() == 0 ? threadCount : 1 }

  /// Settings made once, before the first kernel runs: OpenBLAS keeps to the calling thread because
  /// `parallelFor` already uses all of them, and freed memory is kept.
  static let prepared: Void = {
    openblas_set_num_threads(1)
    ck_keep_freed_memory()
  }()

  /// What would make OpenBLAS faster: an environment variable and its value, where OpenBLAS does not know the processor and
  /// works as on the oldest one.
  public static var betterCore: (variable: String, value: String)? {
    let variable = "OPENBLAS_CORETYPE"
    guard getenv(variable) == nil, String(cString: openblas_get_corename()) == "Prescott" else { return nil }
    switch Instructions.ofMachine {
    case .baseline: return nil
    case .avx2: return (variable, "Haswell")
    case .avx512: return (variable, "SkylakeX")
    }
  }

  /// What the numbers of this process depend on: to be recorded with every run.
  public static var libraries: [(name: String, version: String)] {
    [
      ("FFTW", String(cString: cfftw_version())),
      ("OpenBLAS", String(cString: openblas_get_config())),
      ("OpenBLAS core", String(cString: openblas_get_corename())),
      ("kernels", Instructions.inUse.rawValue),
    ]
  }
}

/// In how many ranges a loop is divided for every thread: a batch of 20 samples on two threads sample by sample.
///
/// With half or twice as many it takes as long.
private let piecesPerThread = 10

/// Calls `body` with consecutive ranges that together cover `0..<count`, on up to `threadCount` threads.
///
/// There are several ranges for every thread, so that one that is done helps with what is left of the others'.
/// The work of one index must not depend on which range it falls in: then results are the same for any
/// number of threads. For sums over indices add up per-index results in their order. Inside such a call another
/// one runs on its own thread alone: the outermost loop is the one that is shared out.
/// - Parameter grain: the fewest indices that are worth a range of their own.
public func parallelFor(_ count: Int, grain: Int = 1, _ body: (Range<Int>) -> Void) {
  Parallelism.prepared
  let worthwhile = count / max(1, grain)
  let threads = min(Parallelism.threadCount, worthwhile)
  guard threads > 1, ck_is_sharing() == 0 else {
    if count > 0 { body(0..<count) }
    return
  }
  let pieces = min(worthwhile, piecesPerThread * threads)
  share(pieces, threads: threads) { piece in
    body(count * piece / pieces..<count * (piece + 1) / pieces)
  }
}

/// Calls `body` once per index, handing out indices one at a time: for work of uneven cost.
///
/// `body` also gets the number of the worker (below `workers`), for a workspace of its own. Loops inside it
/// are not shared out again, as in `parallelFor`.
/// - Parameter workers: the most threads to use.
public func parallelForEach(
  _ count: Int, workers: Int = Parallelism.threadCount, _ body: (_ index: Int, _ worker: Int) -> Void
) {
  Parallelism.prepared
  let workers = min(workers, count)
  guard workers > 1, ck_is_sharing() == 0 else {
    for index in 0..<max(0, count) { body(index, 0) }
    return
  }
  let next = Atomic<Int>(0)
  share(workers, threads: workers) { worker in
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      body(index, worker)
    }
  }
}

/// The results of `transform` for all elements, in their order, computed one at a time by every thread.
public func parallelMap<Element, Result>(
  _ elements: [Element], _ transform: (Element) -> Result
) -> [Result] {
  Array(unsafeUninitializedCapacity: elements.count) { results, count in
    nonisolated(unsafe) let results = results
    parallelForEach(elements.count) { index, _ in
      (results.baseAddress! + index).initialize(to: transform(elements[index]))
    }
    count = elements.count
  }
}

/// Calls `body` with every number below `pieces`, on so many threads, and returns when all calls have.
///
/// The threads of `ck_share` wait awake for the next loop for a moment, those of Dispatch have to be woken, which takes as
/// long as a short loop. They serve one caller at a time; Dispatch serves the others.
private func share(_ pieces: Int, threads: Int, _ body: (_ piece: Int) -> Void) {
  if callWithKeptThreads(Int32(threads), Int32(pieces), body) != 0 { return }
  withoutActuallyEscaping(body) { body in
    nonisolated(unsafe) let body = body
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: threads) { _ in
      ck_set_sharing(1)
      defer { ck_set_sharing(0) }
      while true {
        let piece = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard piece < pieces else { return }
        body(piece)
      }
    }
  }
}

/// `ck_share`, which takes a closure as Swift passes it.
///
/// Everything else that C could call would have to outlive the call as far as Swift knows, and would take memory from the
/// heap in every loop. The function is not in the header, as Swift imports none of this convention.
@_silgen_name("ck_share")
private func callWithKeptThreads(_ threads: Int32, _ pieces: Int32, _ body: (_ piece: Int) -> Void) -> Int32
