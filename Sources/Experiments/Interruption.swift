import Glibc
import Synchronization

/// SIGINT and SIGTERM as requests that long work looks at between its steps.
///
/// The first signal asks the work to stop at its next safe point; a second one ends the process at once.
public enum Interruption {
  /// The number of the signal that came first, or 0.
  private static let received = Atomic<Int32>(0)

  /// Starts listening; call it once, before the work.
  public static func listen() {
    // The handler may run at any moment: make sure that the global is initialised before.
    received.store(0, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      var action = sigaction()
      // A job that was started with the signal ignored, as by nohup, goes on ignoring it.
      guard sigaction(number, nil, &action) == 0, !isIgnored(action) else { continue }
      action = sigaction()
      action.__sigaction_handler.sa_handler = { number in
        let (isFirst, _) = Interruption.received.compareExchange(
          expected: 0, desired: number, ordering: .relaxed)
        if !isFirst { _exit(128 + number) }
      }
      // System calls that were waiting go on by themselves.
      action.sa_flags = SA_RESTART
      sigaction(number, &action, nil)
    }
    // A parent may have blocked them for its own sake; a blocked signal would never arrive.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  private static func isIgnored(_ action: sigaction) -> Bool {
    unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// Whether the user asked to stop.
  public static var isRequested: Bool { received.load(ordering: .relaxed) != 0 }

  /// Throws `CancellationError` if the user asked to stop.
  public static func check() throws {
    if isRequested { throw CancellationError() }
  }

  /// The exit status after stopping.
  public static var exitStatus: ExitStatus {
    received.load(ordering: .relaxed) == SIGTERM ? .terminated : .interrupted
  }
}
