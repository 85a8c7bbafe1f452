import Tensors

/// A check that looks at one sample after another, each by itself, and then at what it measured on all.
///
/// `measure` is called from several threads; a measurement is a few numbers, so that memory does not grow with
/// the size of the fields.
public protocol SampleCheck: Sendable {
  /// What is measured of one sample.
  associatedtype Measurement: Sendable

  /// Which check it is.
  var name: CheckName { get }

  /// Whether it also looks at samples that hold numbers that are not finite.
  var takesNonFinite: Bool { get }

  /// Measures a sample.
  func measure(_ sample: AuditedSample) -> Measurement

  /// Judges the measurements, in the order of the samples.
  func conclude(_ measurements: [Measurement]) -> CheckResult
}

extension SampleCheck {
  /// Numbers that are not finite are found by one check and are not passed on.
  public var takesNonFinite: Bool { false }
}

/// The fields of one sample; belongs to one thread.
public final class AuditedSample {
  /// Its position in the file.
  public let index: Int
  /// What the file says.
  public let subject: Subject
  /// `[time, ...grid]` of every field.
  public let fields: [String: Tensor<Double>]

  private var spectra: [Int: ShellSpectrum] = [:]

  init(index: Int, subject: Subject, fields: [String: Tensor<Double>]) {
    self.index = index
    self.subject = subject
    var fields = fields
    for (name, values) in subject.labels {
      fields[name]?.withUnsafeMutableBuffer { numbers in
        for index in numbers.indices { numbers[index] = values[numbers[index] == 0 ? 0 : 1] }
      }
    }
    self.fields = fields
  }

  /// Whether every number is finite.
  public private(set) lazy var isFinite: Bool = fields.values.allSatisfy { field in
    field.withUnsafeBuffer { values in values.allSatisfy(\.isFinite) }
  }

  /// The numbers of one frame of the trajectory.
  public func withFrame<Result>(_ frame: Int, _ body: (UnsafeBufferPointer<Double>) -> Result) -> Result {
    let source = subject.trajectory[frame]
    return withFrame(source.frame, of: source.field, body)
  }

  /// The numbers of one frame of a field; a steady field has one.
  public func withFrame<Result>(
    _ frame: Int, of field: String, _ body: (UnsafeBufferPointer<Double>) -> Result
  ) -> Result {
    guard let values = fields[field] else { preconditionFailure("field \(field) was not read") }
    let size = values.shape.dropFirst().reduce(1, *)
    return values.withUnsafeBuffer {
      body(UnsafeBufferPointer(rebasing: $0[frame * size..<(frame + 1) * size]))
    }
  }

  /// One frame of the trajectory, `[...grid]`.
  public func frame(_ frame: Int) -> Tensor<Double> {
    withFrame(frame) { values in
      Tensor(shape: Shape(subject.description.grid)) { _ = $0.update(fromContentsOf: values) }
    }
  }

  /// The power of a frame by wave number, on a periodic grid.
  func spectrum(_ frame: Int) -> ShellSpectrum {
    if let known = spectra[frame] { return known }
    let spectrum = ShellSpectrum(self.frame(frame))
    spectra[frame] = spectrum
    return spectrum
  }
}

/// Sums over the numbers of a frame.
enum Frame {
  static func mean(_ values: UnsafeBufferPointer<Double>) -> Double {
    var sum = 0.0
    for value in values { sum += value }
    return sum / Double(values.count)
  }

  /// The root of the mean square.
  static func norm(_ values: UnsafeBufferPointer<Double>) -> Double {
    var sum = 0.0
    for value in values { sum += value * value }
    return (sum / Double(values.count)).squareRoot()
  }

  /// The largest absolute value and its position.
  static func largest(_ values: UnsafeBufferPointer<Double>) -> (value: Double, position: Int) {
    var (largest, position) = (0.0, 0)
    for (index, value) in values.enumerated() where abs(value) > largest {
      (largest, position) = (abs(value), index)
    }
    return (largest, position)
  }

  /// The index along every axis of a position.
  static func point(_ position: Int, grid: [Int]) -> [Int] {
    var rest = position
    var point: [Int] = []
    for length in grid.reversed() {
      point.insert(rest % length, at: 0)
      rest /= length
    }
    return point
  }
}

/// The measurements of one check so far, whatever its type.
protocol RunningCheck: AnyObject {
  var name: CheckName { get }
  /// A measurement of a sample, to be put in its place later: called from several threads.
  func measure(_ sample: AuditedSample) -> any Sendable
  func add(_ measurement: any Sendable)
  func conclude() -> CheckResult
}

final class Running<Check: SampleCheck>: RunningCheck {
  private let check: Check
  private var measurements: [Check.Measurement] = []

  init(_ check: Check) { self.check = check }

  var name: CheckName { check.name }
  var takesNonFinite: Bool { check.takesNonFinite }

  func measure(_ sample: AuditedSample) -> any Sendable {
    guard check.takesNonFinite || sample.isFinite else { return Skipped() }
    return check.measure(sample)
  }

  func add(_ measurement: any Sendable) {
    if let measurement = measurement as? Check.Measurement { measurements.append(measurement) }
  }

  func conclude() -> CheckResult { check.conclude(measurements) }
}

/// Stands for the measurement of a sample that a check does not look at.
private struct Skipped: Sendable {}

extension SampleCheck {
  /// The check with room for its measurements.
  func running() -> any RunningCheck { Running(self) }
}
