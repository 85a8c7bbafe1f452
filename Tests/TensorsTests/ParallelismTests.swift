import Foundation
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite struct ParallelismTests {
  @Test(arguments: [0, 1, 2, 7, 100], [1, 2, 5])
  func everyIndexIsVisitedOnce(count: Int, threads: Int) {
    let visits = Mutex([Int](repeating: 0, count: count))
    let busy = Mutex(Set<Int>())  // a worker's workspace must never be used twice at a time
    func visit(_ index: Int, _ worker: Int) {
      #expect(busy.withLock { $0.insert(worker).inserted })
      visits.withLock { $0[index] += 1 }
      _ = busy.withLock { $0.remove(worker) }
    }
    _ = withThreadCounts([threads]) {
      parallelFor(count) { range in visits.withLock { visits in for i in range { visits[i] += 1 } } }
      #expect(visits.withLock { $0 } == [Int](repeating: 1, count: count))
      parallelForEach(count, visit)
      parallelForEach(count, workers: threads + 1, visit)
    }
    #expect(visits.withLock { $0 } == [Int](repeating: 3, count: count))
  }

  /// While one thread is held up, the others do what it had before it: once in some tries, as on a busy machine there may
  /// be no other thread in time.
  @Test(arguments: [2, 3]) func whatAThreadDoesNotGetToIsDoneByOthers(threads: Int) {
    let areDone = withThreadCounts([threads]) {
      (0..<20).lazy.map { _ in indicesLeftWhileOneRangeIsHeld() }.contains(0)
    }
    #expect(areDone == [true])
  }

  /// How many indices of a loop nobody has visited half a second after the first range began, which waits for them.
  private func indicesLeftWhileOneRangeIsHeld() -> Int {
    let count = 1000
    let calls = Atomic<Int>(0)
    let visited = Atomic<Int>(0)
    let left = Atomic<Int>(count)
    parallelFor(count) { range in
      if calls.wrappingAdd(1, ordering: .relaxed).oldValue == 0 {
        let others = count - range.count
        for _ in 0..<500 where visited.load(ordering: .relaxed) < others { usleep(1000) }
        left.store(others - visited.load(ordering: .relaxed), ordering: .relaxed)
      }
      visited.add(range.count, ordering: .relaxed)
    }
    #expect(visited.load(ordering: .relaxed) == count)
    return left.load(ordering: .relaxed)
  }

  /// The outer loop is shared out, the inner ones run whole on the thread that meets them.
  @Test func loopsInsideLoopsStayOnTheirThread() {
    let ranges = withThreadCounts([3]) {
      parallelMap([10, 20, 30, 40]) { count in
        var ranges: [Range<Int>] = []
        parallelFor(count) { ranges.append($0) }
        parallelForEach(2) { index, worker in
          #expect(worker == 0)
          ranges.append(index..<index)
        }
        return ranges
      }
    }
    #expect(ranges == [[10, 20, 30, 40].map { [0..<$0, 0..<0, 1..<1] }])
  }

  /// Many short loops one after another, with pauses in which the threads fall asleep, from several callers at once: none
  /// is lost, whether the threads that wait awake serve it or others do.
  @Test func shortLoopsFromSeveralCallers() {
    let totals = Mutex([Int](repeating: 0, count: 3))
    _ = withThreadCounts([3]) {
      DispatchQueue.concurrentPerform(iterations: 3) { caller in
        var total = 0
        for round in 0..<2000 {
          let sums = parallelMap([1, 10, 100]) { $0 * (round % 7) }
          total += sums.reduce(0, +)
          if round % (250 + caller) == 0 { usleep(2000) }
        }
        totals.withLock { $0[caller] = total }
      }
    }
    let expected = (0..<2000).reduce(0) { $0 + 111 * ($1 % 7) }
    #expect(totals.withLock { $0 } == [expected, expected, expected])
  }
}
