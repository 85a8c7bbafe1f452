import InverseProblems

/// What an inversion observes: where, when, and how exactly.
public struct ObservationConfig: Sendable, Equatable {
  /// Where the sensors are, as fractions of the axes.
  public enum Sensors: Sendable, Equatable {
    /// A uniform grid of interior points i/(n+1).
    case grid([Int])
    /// Given points.
    case points([[Double]])
  }

  /// The file: a dataset that the truth and the observed fields are taken from, or a table of measured values.
  public let file: String
  /// The sample of a dataset.
  public let sample: Int
  /// The sensors in a dataset.
  public let sensors: Sensors
  /// The times of the observed frames of a dataset; by default the last one.
  public let times: [Double]?
  /// How values between grid points are found; nil for the best that the axes allow.
  public let interpolation: PointObservation.Interpolation?

  /// Whether the file is a table of measured values, by its name.
  public var isTable: Bool { file.hasSuffix(".csv") }

  /// Reads `observations`: a file's name, or a section.
  init(_ configuration: ConfigSection) {
    guard !configuration.contains("observations") || configuration.isSection("observations") else {
      file = configuration.string("observations")
      (sample, sensors, times, interpolation) = (0, .grid([7, 7]), nil, nil)
      return
    }
    let section = configuration.section("observations")
    file = section.string("file")
    interpolation =
      section.contains("interpolation")
      ? section.choice("interpolation", of: PointObservation.Interpolation.self) : nil
    guard !file.hasSuffix(".csv") else {
      // The table says where and when.
      (sample, sensors, times) = (0, .points([]), nil)
      return
    }
    sample = section.int("sample", default: 0, in: .nonNegative)
    if section.contains("times") {
      times = section.optionalDoubleList("times", in: .positive)
      section.check("times", times?.isEmpty == false, "it must have at least one time")
      if section.contains("time") {
        section.reject("time", "cannot be given together with 'observations.times'")
      }
    } else {
      times = section.optionalDouble("time", in: .positive).map { [$0] }
    }
    let inside = ConfigRange<Double>("at least 0 and below 1") { $0 >= 0 && $0 < 1 }
    if let points = section.optionalPoints("sensors", dimensions: 1...2, in: inside) {
      sensors = .points(points)
      if section.contains("sensor_grid") {
        section.reject("sensor_grid", "cannot be given together with 'observations.sensors'")
      }
    } else {
      let grid = section.intList("sensor_grid", default: [7, 7], in: .between(1, 1000))
      section.check("sensor_grid", (1...2).contains(grid.count), "it must have a number per axis")
      sensors = .grid(grid)
    }
  }
}

/// What is known of the observation errors.
public struct NoiseConfig: Sendable, Equatable {
  /// Their standard deviation; nil if the table of observations has one for each.
  public let deviation: Double?
  /// The distance over which the correlation of errors at one time falls by the factor e; nil for independent
  /// errors.
  public let correlationLength: Double?
  /// The prior of the variance in units of the stated one, if the level is to be inferred.
  public let prior: InverseGamma?

  /// Reads `noise`: a standard deviation, or a section.
  init(_ configuration: ConfigSection, isTable: Bool) {
    guard configuration.contains("noise") || !isTable else {
      (deviation, correlationLength, prior) = (nil, nil, nil)
      return
    }
    guard configuration.isSection("noise") else {
      deviation = configuration.double("noise", in: .positive)
      (correlationLength, prior) = (nil, nil)
      return
    }
    let section = configuration.section("noise")
    deviation =
      isTable
      ? section.optionalDouble("std", in: .positive) : section.double("std", in: .positive)
    correlationLength = section.optionalDouble("correlation_length", in: .positive)
    guard section.bool("inferred", default: false) else {
      prior = nil
      return
    }
    // Shape 2 and mean 1: the stated level is right on average, within a factor of about two.
    prior = InverseGamma(
      shape: section.double("prior_shape", default: 2, in: .positive),
      scale: section.double("prior_scale", default: 1, in: .positive))
  }
}
