import Foundation
import HDF5
import Tensors

/// Settings of the process.
public enum Runtime {
  /// To be called once, at the start of a program: a file that crashes a library ends it in good order.
  public static func prepare() { HDF5File.exitOnCrashes() }

  /// What is wrong with the environment variables that the program reads; nil if nothing is.
  public static var complaint: String? {
    guard let text = ProcessInfo.processInfo.environment[Instructions.variable],
      Instructions(rawValue: text) == nil
    else { return nil }
    let values = Instructions.allCases.map(\.rawValue).joined(separator: ", ")
    return "\(Instructions.variable) is '\(text)'; it must be one of \(values), or not be set"
  }

  /// The number of threads that all work uses; results do not depend on it.
  public static var threadCount: Int {
    get { Parallelism.threadCount }
    set { Parallelism.threadCount = newValue }
  }
}
