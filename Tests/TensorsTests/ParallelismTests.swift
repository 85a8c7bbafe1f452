import Foundation
import Synchronization
import Tensors
import Testing

@Suite(.serialized) struct ParallelismTests {
  @Test(arguments: [0, 1, 2, 7, 100], [1, 2, 5])
  func everyIndexIsVisitedOnce(count: Int, threads: Int) {
    let saved = Parallelism.threadCount
    defer { Parallelism.threadCount = saved }
    Parallelism.threadCount = threads
    let visits = Mutex([Int](repeating: 0, count: count))
    parallelFor(count) { range in visits.withLock { visits in for i in range { visits[i] += 1 } } }
    #expect(visits.withLock { $0 } == [Int](repeating: 1, count: count))
    let busy = Mutex(Set<Int>())  // a worker's workspace must never be used twice at a time
    parallelForEach(count) { index, worker in
      #expect(busy.withLock { $0.insert(worker).inserted })
      visits.withLock { $0[index] += 1 }
      _ = busy.withLock { $0.remove(worker) }
    }
    #expect(visits.withLock { $0 } == [Int](repeating: 2, count: count))
  }

  /// The outer loop is shared out, the inner ones run whole on the thread that meets them.
  @Test func loopsInsideLoopsStayOnTheirThread() {
    let saved = Parallelism.threadCount
    defer { Parallelism.threadCount = saved }
    Parallelism.threadCount = 3
    let ranges = parallelMap([10, 20, 30, 40]) { count in
      var ranges: [Range<Int>] = []
      parallelFor(count) { ranges.append($0) }
      parallelForEach(2) { index, worker in
        #expect(worker == 0)
        ranges.append(index..<index)
      }
      return ranges
    }
    #expect(ranges == [10, 20, 30, 40].map { [0..<$0, 0..<0, 1..<1] })
  }

  /// Many short loops one after another, with pauses in which the threads fall asleep, from several callers at once: none
  /// is lost, whether the threads that wait awake serve it or others do.
  @Test func shortLoopsFromSeveralCallers() async {
    let saved = Parallelism.threadCount
    defer { Parallelism.threadCount = saved }
    Parallelism.threadCount = 3
    await withTaskGroup(of: Int.self) { group in
      for caller in 0..<3 {
        group.addTask {
          var total = 0
          for round in 0..<2000 {
            let sums = parallelMap([1, 10, 100]) { $0 * (round % 7) }
            total += sums.reduce(0, +)
            if round % (250 + caller) == 0 { usleep(2000) }
          }
          return total
        }
      }
      let expected = (0..<2000).reduce(0) { $0 + 111 * ($1 % 7) }
      for await total in group { #expect(total == expected) }
    }
  }
}
