import Datasets
import Foundation
import Solvers
import Tensors

/// An equation as far as an audit must know it: one conformance per equation adds its checks.
///
/// Evolution equations conform to `AuditedEvolution`, which has most of the work done.
public protocol AuditedEquation: Sendable {
  /// Its name, as `burgers`.
  var name: String { get }
  /// The lengths of its axes, if they are fixed.
  var lengths: [Double]? { get }

  /// The field that is given, if it is not the first frame of the solution.
  var inputField: String? { get }
  /// Where the solution in time is stored; empty for a steady equation, or if the file has no such field.
  func trajectory(_ description: DatasetDescription) -> [Subject.FrameSource]
  /// What false and true stand for in fields that may be stored as such.
  var labels: [String: [Double]] { get }
  /// Why the fields cannot be those of this equation, or nil.
  func obstacle(_ subject: Subject) -> String?
  /// The checks that look at every sample.
  func sampleChecks(_ subject: Subject) -> [any SampleCheck]
  /// The checks that solve again, on some samples.
  func solvingChecks(_ solving: Solving) throws -> [CheckResult]
  /// Why a check is not made.
  func reason(without check: CheckName, _ subject: Subject) -> String
}

extension AuditedEquation {
  /// None.
  public var labels: [String: [Double]] { [:] }
}

/// What checks that solve again work with.
public struct Solving {
  /// The file.
  public let dataset: any ReadableDataset
  /// What it says.
  public let subject: Subject
  /// The samples to solve, in order.
  public let samples: [Int]
  /// The seed of all random choices.
  public let seed: UInt64
  /// Fields of samples that were read before, where reading single samples is slow.
  let kept: [Int: [String: Tensor<Double>]]
  /// Called with what is being done, how much of it is done, and how much there is; what it throws ends the audit.
  public let progress: (_ step: AuditStep, _ done: Int, _ total: Int) throws -> Void

  /// Reads the fields of a sample.
  func sample(_ index: Int) throws -> AuditedSample {
    if let fields = kept[index] { return AuditedSample(index: index, subject: subject, fields: fields) }
    var fields: [String: Tensor<Double>] = [:]
    for field in subject.description.fields {
      fields[field.name] = try dataset.readDouble(field: field.name, samples: index..<index + 1)
        .dropFirstAxis()
    }
    return AuditedSample(index: index, subject: subject, fields: fields)
  }
}

extension Tensor {
  /// `[1, ...rest]` as `[...rest]`.
  func dropFirstAxis() -> Tensor { reshaped(to: shape.dropFirst()) }
}

/// A number of an equation that an audit fits to the data.
public struct AuditedParameter: Sendable, Equatable {
  /// Its name, as `viscosity`.
  public var name: String
  /// What the file says it is; nil if it does not.
  public var stated: Double?
  /// Where to look for it if the file does not say; nil if it is only looked for near the stated value.
  public var range: ClosedRange<Double>?

  /// A parameter.
  public init(name: String, stated: Double?, range: ClosedRange<Double>?) {
    self.name = name
    self.stated = stated
    self.range = range
  }
}

/// The law of a Gaussian field, covariance σ² (−Δ + τ²)^(−α) on the unit torus, or on the unit square with Neumann
/// conditions.
public struct AuditedLaw: Sendable, Equatable {
  /// σ.
  public var sigma: Double
  /// τ.
  public var tau: Double
  /// α.
  public var alpha: Double

  /// A law.
  public init(sigma: Double, tau: Double, alpha: Double) {
    self.sigma = sigma
    self.tau = tau
    self.alpha = alpha
  }

  /// E |û_k|² by |k|².
  func power(_ squaredIndex: Double) -> Double {
    sigma * sigma * pow(4 * Double.pi * Double.pi * squaredIndex + tau * tau, -alpha)
  }

  /// The variance of the coefficient of a cosine of unit norm, by |k|².
  func neumannPower(_ squaredIndex: Double) -> Double {
    sigma * sigma * pow(Double.pi * Double.pi * squaredIndex + tau * tau, -alpha)
  }
}
