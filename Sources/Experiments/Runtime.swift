import Tensors

/// Settings of the process.
public enum Runtime {
  /// The number of threads that all work uses; results do not depend on it.
  public static var threadCount: Int {
    get { Parallelism.threadCount }
    set { Parallelism.threadCount = newValue }
  }
}
