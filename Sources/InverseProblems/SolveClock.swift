import Synchronization

/// The time that forward maps take, their derivatives included: what is left of a chain's time is its overhead.
///
/// Shared by the problems of one inversion, and by their copies.
public final class SolveClock: Sendable {
  private let total = Mutex(Duration.zero)

  /// A clock at zero.
  public init() {}

  /// The seconds so far.
  public var seconds: Double { total.withLock { $0 } / .seconds(1) }

  /// Counts the time that `body` takes.
  func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
    let begin = ContinuousClock.now
    defer {
      let time = ContinuousClock.now - begin
      total.withLock { $0 += time }
    }
    return try body()
  }
}
