import Datasets

/// Which part of a dataset a `generate` makes: what `--shard` says, or the place in a Slurm job array.
public struct ShardSelection: Sendable, Equatable {
  /// The number of the part, from 0.
  public let index: Int
  /// The number of parts; one part is the whole dataset.
  public let count: Int
  /// What to tell people if they did not ask for it themselves.
  public let notice: String?

  /// The whole dataset.
  public static let whole = ShardSelection(index: 0, count: 1, notice: nil)

  /// Reads `i/N`, i from 0 to N - 1.
  ///
  /// - Throws: `DatasetError.invalidShard`.
  public init(_ text: String) throws {
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let index = numbers[0], let count = numbers[1], count >= 1,
      (0..<count).contains(index)
    else {
      throw DatasetError.invalidShard(
        "--shard is '\(text)'; it must be i/N, with i from 0 to N - 1, as 3/64")
    }
    self.init(index: index, count: count, notice: nil)
  }

  /// The place of this task in a Slurm job array, or the whole dataset outside of one.
  ///
  /// `SLURM_ARRAY_TASK_MIN` and `SLURM_ARRAY_TASK_STEP` say where an array begins that does not count
  /// 0, 1, 2.
  /// - Throws: `DatasetError.invalidShard` if the place is not clear.
  public init(environment: [String: String]) throws {
    guard let task = environment["SLURM_ARRAY_TASK_ID"], let tasks = environment["SLURM_ARRAY_TASK_COUNT"]
    else {
      self = .whole
      return
    }
    func number(_ name: String, default value: Int) throws -> Int {
      guard let text = environment[name] else { return value }
      guard let number = Int(text) else {
        throw DatasetError.invalidShard("\(name) is '\(text)', not a whole number; use --shard i/N")
      }
      return number
    }
    let identifier = try number("SLURM_ARRAY_TASK_ID", default: 0)
    let count = try number("SLURM_ARRAY_TASK_COUNT", default: 1)
    let first = try number("SLURM_ARRAY_TASK_MIN", default: 0)
    let step = try number("SLURM_ARRAY_TASK_STEP", default: 1)
    // A task that is submitted again alone is an array of one: Slurm does not say of how many it was one.
    guard count > 1 || identifier == 0 else {
      throw DatasetError.invalidShard(
        "SLURM_ARRAY_TASK_ID is \(task) in an array of \(tasks) task, so which shard this is is not clear; "
          + "use --shard i/N, or --shard 0/1 for the whole dataset")
    }
    let distance = identifier.subtractingReportingOverflow(first)
    guard step >= 1, !distance.overflow, distance.partialValue.isMultiple(of: step),
      (0..<max(1, count)).contains(distance.partialValue / step)
    else {
      throw DatasetError.invalidShard(
        "the tasks of this Slurm array are not evenly spaced (SLURM_ARRAY_TASK_ID \(task) of \(tasks) tasks "
          + "from \(first) in steps of \(step)); use --shard i/N")
    }
    let index = distance.partialValue / step
    self.init(
      index: index, count: count,
      notice: count > 1
        ? "shard \(index)/\(count) because SLURM_ARRAY_TASK_ID is \(task) (--shard 0/1 for the whole dataset)"
        : nil)
  }

  private init(index: Int, count: Int, notice: String?) {
    self.index = index
    self.count = count
    self.notice = notice
  }

  /// The part of a dataset of `total` samples, or nil if that is all of it.
  ///
  /// - Throws: `DatasetError.invalidShard` if there are more parts than samples.
  func shard(total: Int) throws -> Shard? {
    count == 1 ? nil : try Shard(index, of: count, total: total)
  }
}
