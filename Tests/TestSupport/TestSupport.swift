import Foundation
import Tensors

/// The relative L2 distance ‖a − b‖ / ‖b‖ of two tensors.
public func relativeError<Scalar>(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>) -> Double {
  precondition(a.shape == b.shape, "shapes \(a.shape) and \(b.shape) differ")
  return withPointers(a, b) { left, right in
    let size = max(Scalar.dot(b.count, right, right), .leastNormalMagnitude)
    return (Scalar.squaredDistance(b.count, left, right) / size).squareRoot()
  }
}

/// The largest absolute difference of two tensors of one shape.
public func largestDifference<Scalar>(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>) -> Double {
  precondition(a.shape == b.shape, "shapes \(a.shape) and \(b.shape) differ")
  return zip(a.scalars, b.scalars).reduce(0) { max($0, abs(Double($1.0) - Double($1.1))) }
}

/// The observed orders of convergence: log₂ of the ratios of successive errors under halving.
public func observedOrders(_ errors: [Double]) -> [Double] {
  zip(errors, errors.dropFirst()).map { log2($0 / $1) }
}

/// Whether tests that are too long for every commit run as well: `make test-deep` asks for them.
public let runsDeepTests = ProcessInfo.processInfo.environment["PHALAROPE_DEEP_TESTS"] != nil

/// Calls `body` with a new empty folder, which is removed afterwards.
public func withTemporaryFolder<Result>(_ body: (String) throws -> Result) rethrows -> Result {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("phalarope-test-\(UUID().uuidString)").path
  do {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  } catch { preconditionFailure("cannot create \(folder): \(error)") }
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}
