import HDF5
import Tensors

/// Settings of the process.
public enum Runtime {
  /// To be called once, at the start of a program: a file that crashes a library ends it in good order.
  public static func prepare() { HDF5File.exitOnCrashes() }

  /// The number of threads that all work uses; results do not depend on it.
  public static var threadCount: Int {
    get { Parallelism.threadCount }
    set { Parallelism.threadCount = newValue }
  }
}
