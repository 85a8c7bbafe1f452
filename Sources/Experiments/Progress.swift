import Synchronization

/// Progress of long work: one live line on a terminal, a plain line every few seconds elsewhere.
///
/// `update` may be called from several threads, as often as one likes; it throws `CancellationError` once
/// the user has asked to stop.
public final class Progress: Sendable {
  private struct State {
    var lastShown: ContinuousClock.Instant?
    var doneWhenShown = -1
  }

  private let console: Console
  private let label: String
  private let unit: String
  private let total: Int
  private let alreadyDone: Int
  private let start = ContinuousClock.now
  private let state = Mutex(State())

  /// Progress towards a total.
  ///
  /// - Parameters:
  ///   - label: what is being done: "generating".
  ///   - unit: what is counted, in the plural: "samples".
  ///   - alreadyDone: how many were done by an earlier run; they do not count for the rate.
  public init(_ console: Console, label: String, unit: String, total: Int, alreadyDone: Int = 0) {
    self.console = console
    self.label = label
    self.unit = unit
    self.total = total
    self.alreadyDone = alreadyDone
  }

  /// Shows how much is done, if it is time to.
  ///
  /// - Parameter detail: more to show at the end of the line, such as the loss.
  /// - Throws: `CancellationError` if the user has asked to stop.
  public func update(_ done: Int, detail: @autoclosure () -> String = "") throws {
    try Interruption.check()
    let now = ContinuousClock.now
    // Between two lines: fluent to the eye on a terminal, readable in a log elsewhere.
    let pause: Duration = console.isLive ? .milliseconds(100) : .seconds(5)
    let isDue = state.withLock { state in
      let elapsed = now - (state.lastShown ?? start)
      // A log need not repeat that nothing has changed, but it should show that the work goes on.
      guard elapsed >= pause, console.isLive || done != state.doneWhenShown || elapsed >= .seconds(60)
      else { return false }
      state.lastShown = now
      state.doneWhenShown = done
      return true
    }
    if isDue { console.showLive(line(done, at: now, detail: detail())) }
  }

  /// Ends the live line.
  public func finish() { console.endLive() }

  /// `label done/total unit, rate, time left, detail`.
  package func line(_ done: Int, at now: ContinuousClock.Instant, detail: String) -> String {
    let seconds = Self.seconds(now - start)
    var parts = ["\(label) \(done)/\(total) \(unit)"]
    let fresh = done - alreadyDone
    if fresh > 0, seconds > 0 {
      let rate = Double(fresh) / seconds
      parts.append(
        rate >= 1 ? "\(Self.digits(rate)) \(unit)/s" : "\(Self.digits(1 / rate)) s each")
      parts.append("\(Self.clock(Double(total - done) / rate)) left")
    }
    if !detail.isEmpty { parts.append(detail) }
    return parts.joined(separator: ", ")
  }

  /// A duration in seconds.
  static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }

  /// Three significant digits.
  static func digits(_ value: Double) -> String {
    let decimals = value >= 100 ? 0 : value >= 10 ? 1 : 2
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let rounded = (value * scale).rounded() / scale
    return decimals == 0 ? "\(Int(rounded))" : "\(rounded)"
  }

  /// Hours, minutes and seconds as people write them: 0.3 s, 3 s, 2 min 10 s, 1 h 05 min.
  package static func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "unknown time" }
    if seconds < 9.95 { return "\((seconds * 10).rounded() / 10) s" }
    let whole = Int(seconds.rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(two(whole % 60)) s" }
    return "\(whole / 3600) h \(two(whole % 3600 / 60)) min"
  }
}
