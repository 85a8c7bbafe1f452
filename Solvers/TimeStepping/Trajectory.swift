/// The steps that one solve took, and some of the states between them.
///
/// Every state is kept at first. Whenever they fill the memory, every second one is dropped and from then on half
/// as many are kept, so the memory stays bounded without knowing the number of steps beforehand. States between two
/// kept ones are found by repeating the steps from the earlier one: while N steps fit into C states nothing is
/// repeated, beyond that every step once, with N/C more states at a time.
final class Trajectory {
  /// About how much memory the kept states of one solve may take, in bytes.
  static let memory = 32 << 20
  /// Memory is taken by about so many bytes.
  private static let block = 1 << 20

  /// The sizes of the steps.
  private(set) var steps: [Double] = []
  /// The resolution of every state: one more than there are steps.
  private(set) var resolutions: [Int] = []
  /// The state at every recorded time.
  private(set) var frames: [Int] = []
  /// Every how manieth state is kept.
  private(set) var interval = 1

  private let variableCount: Int
  private let capacity: Int
  private var slots: [UnsafeMutablePointer<Double>] = []
  private var blocks: [Workspace] = []  // what the slots point into
  private var keptCount = 0

  /// Room for `capacity` states of `variableCount` numbers; nil is what fits into `memory`.
  init(variableCount: Int, capacity: Int? = nil) {
    self.variableCount = variableCount
    let fitting = Self.memory / (MemoryLayout<Double>.stride * max(1, variableCount))
    // An even number, so that the next state to keep is always the one that finds no room.
    self.capacity = max(2, capacity ?? max(32, fitting)) & ~1
  }

  /// Forgets everything but the memory: another solve begins.
  func restart() {
    steps.removeAll(keepingCapacity: true)
    resolutions.removeAll(keepingCapacity: true)
    frames.removeAll(keepingCapacity: true)
    (interval, keptCount) = (1, 0)
  }

  /// Adds the state after the last step: its coefficients, what the scheme remembers, its resolution.
  func append(_ state: Workspace, _ memory: Workspace?, resolution: Int) {
    resolutions.append(resolution)
    guard steps.count.isMultiple(of: interval) else { return }
    if keptCount == capacity {
      for index in 1..<capacity / 2 { slots.swapAt(index, 2 * index) }
      keptCount = capacity / 2
      interval *= 2
    }
    if keptCount == slots.count { addSlots() }
    let slot = slots[keptCount]
    slot.update(from: state.start, count: state.count)
    if let memory { (slot + state.count).update(from: memory.start, count: memory.count) }
    keptCount += 1
  }

  private func addSlots() {
    let states = max(
      1, min(capacity - slots.count, Self.block / (MemoryLayout<Double>.stride * variableCount)))
    let block = Workspace(count: states * variableCount)
    blocks.append(block)
    slots += (0..<states).map { block.start + $0 * variableCount }
  }

  /// Adds a step to the next state.
  func append(step: Double) { steps.append(step) }

  /// The state reached is that of the next recorded time.
  func markFrame() { frames.append(steps.count) }

  /// The last kept state that is not after `index`, and its index.
  func keptState(notAfter index: Int) -> (index: Int, variables: UnsafeMutablePointer<Double>) {
    (index / interval * interval, slots[index / interval])
  }

  /// The size of the step before `step`, nil for the first.
  func step(before step: Int) -> Double? { step > 0 ? steps[step - 1] : nil }
}
