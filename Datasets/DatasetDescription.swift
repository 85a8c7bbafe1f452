/// What a dataset holds: the equation, its axes, times, fields, boundary conditions and parameters.
///
/// It is written into every dataset file, in the layout of The Well (Ohana et al., NeurIPS 2024) with HDF5
/// dimension scales, and read back from it. Files of other layouts say less: what one does not say is nil or
/// empty here, never guessed.
public struct DatasetDescription: Codable, Sendable, Equatable {
  /// A spatial axis of a Cartesian grid.
  public struct Axis: Codable, Sendable, Equatable {
    /// Its name, as `x`.
    public var name: String
    /// How many grid points it has.
    public let count: Int
    /// The grid points, or nil if the file does not say where they are.
    ///
    /// A periodic axis leaves out its end point, a bounded one has both boundaries.
    public let coordinates: [Double]?
    /// Whether the fields repeat beyond it, or nil if the file does not say.
    public var isPeriodic: Bool?
    /// The unit of the coordinates, if they have one.
    public var unit: String?

    /// An axis from its grid points.
    public init(name: String, coordinates: [Double], isPeriodic: Bool?, unit: String? = nil) {
      self.name = name
      self.coordinates = coordinates
      count = coordinates.count
      self.isPeriodic = isPeriodic
      self.unit = unit
    }

    /// An axis of which only the number of points is known.
    public init(name: String, count: Int, isPeriodic: Bool? = nil) {
      self.name = name
      self.count = count
      coordinates = nil
      self.isPeriodic = isPeriodic
    }

    /// The axis with every stride-th of its points.
    public func strided(by stride: Int) -> Axis {
      let kept = Swift.stride(from: 0, to: count, by: stride)
      if let coordinates {
        return Axis(name: name, coordinates: kept.map { coordinates[$0] }, isPeriodic: isPeriodic, unit: unit)
      }
      return Axis(name: name, count: Array(kept).count, isPeriodic: isPeriodic)
    }

    /// A periodic axis of `count` points on [0, length).
    public static func periodic(_ name: String, count: Int, length: Double) -> Axis {
      let points = (0..<count).map { length * Double($0) / Double(count) }
      return Axis(name: name, coordinates: points, isPeriodic: true)
    }

    /// A bounded axis of `count` points on [0, length], both ends included.
    public static func bounded(_ name: String, count: Int, length: Double) -> Axis {
      let points = (0..<count).map { length * Double($0) / Double(max(1, count - 1)) }
      return Axis(name: name, coordinates: points, isPeriodic: false)
    }
  }

  /// A scalar field on the grid.
  public struct FieldDescription: Codable, Sendable, Equatable {
    /// Its name, as `vorticity`.
    public var name: String
    /// Whether it is recorded at every time, or once.
    public var isTimeVarying: Bool
    /// Its unit, if it has one.
    public var unit: String?

    /// A field.
    public init(name: String, isTimeVarying: Bool, unit: String? = nil) {
      self.name = name
      self.isTimeVarying = isTimeVarying
      self.unit = unit
    }
  }

  /// What holds at the ends of axes.
  public struct BoundaryCondition: Codable, Sendable, Equatable {
    /// The kinds that The Well names.
    public enum Kind: String, Codable, Sendable {
      /// Values repeat.
      case periodic = "PERIODIC"
      /// Values (or fluxes) are given.
      case wall = "WALL"
      /// Nothing is given.
      case open = "OPEN"
    }

    /// Its name, as `x_periodic`.
    public var name: String
    /// What kind it is.
    public var kind: Kind
    /// The axes at whose ends it holds.
    public var axes: [String]
    /// The fields that it is for.
    public var fields: [String]

    /// A boundary condition.
    public init(name: String, kind: Kind, axes: [String], fields: [String]) {
      self.name = name
      self.kind = kind
      self.axes = axes
      self.fields = fields
    }
  }

  /// A number in the equation that all samples share, as the viscosity.
  public struct Parameter: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its value.
    public var value: Double

    /// A parameter.
    public init(name: String, value: Double) {
      self.name = name
      self.value = value
    }
  }

  /// The name of the dataset: a word, as `burgers`; empty if not known.
  public var name: String
  /// One line that says what it is; empty if not known.
  public var title: String
  /// The equation as text; empty if not known.
  public var equation: String
  /// The spatial axes, in the order in which they are stored.
  public var axes: [Axis]
  /// How many times are recorded; 0 if no field varies in time.
  public let frameCount: Int
  /// The recorded times, empty if no field varies in time; nil if the file does not say when its frames are.
  public let times: [Double]?
  /// The fields.
  public var fields: [FieldDescription]
  /// The boundary conditions that are known.
  public var boundaryConditions: [BoundaryCondition]
  /// The parameters that are known.
  public var parameters: [Parameter]

  /// A description; names must be distinct and without `/`.
  ///
  /// Without `boundaryConditions`, each axis that is known to be periodic or bounded has one for all fields:
  /// periodic or wall. `frameCount` is needed only where the times are not known.
  public init(
    name: String, title: String, equation: String, axes: [Axis], times: [Double]?, frameCount: Int? = nil,
    fields: [FieldDescription], boundaryConditions: [BoundaryCondition]? = nil, parameters: [Parameter] = []
  ) {
    let frameCount = frameCount ?? times?.count ?? 0
    let problem = Self.problem(
      axes: axes, times: times, frameCount: frameCount, fields: fields, parameters: parameters)
    precondition(problem == nil, problem ?? "")
    self.frameCount = frameCount
    self.name = name
    self.title = title
    self.equation = equation
    self.axes = axes
    self.times = times
    self.fields = fields
    self.boundaryConditions =
      boundaryConditions
      ?? axes.compactMap { axis in
        axis.isPeriodic.map { isPeriodic in
          BoundaryCondition(
            name: axis.name + (isPeriodic ? "_periodic" : "_wall"), kind: isPeriodic ? .periodic : .wall,
            axes: [axis.name], fields: fields.map(\.name))
        }
      }
    self.parameters = parameters
  }

  /// What is wrong with the parts of a description, or nil: files of others may hold anything.
  static func problem(
    axes: [Axis], times: [Double]?, frameCount: Int, fields: [FieldDescription], parameters: [Parameter]
  ) -> String? {
    guard !axes.isEmpty, !fields.isEmpty else { return "it has no axis or no field" }
    guard axes.allSatisfy({ $0.count > 0 }) else { return "an axis has no points" }
    guard (frameCount == 0) != fields.contains(where: \.isTimeVarying) else {
      return "there must be times if and only if a field varies in time"
    }
    guard (times?.count ?? frameCount) == frameCount else {
      return "it has \(frameCount) frames but \(times?.count ?? 0) times"
    }
    for names in [axes.map(\.name) + ["time", "sample"], fields.map(\.name), parameters.map(\.name)] {
      guard Set(names).count == names.count else { return "a name is used twice in \(names)" }
      guard names.allSatisfy({ !$0.isEmpty && !$0.contains("/") }) else {
        return "a name of \(names) is empty or has a /"
      }
    }
    return nil
  }

  /// The name of a field that holds derivatives of another: of `vorticity` along its first direction,
  /// `vorticity_tangent_1`.
  ///
  /// Such a field is recorded at the same times: at t = 0 it is a direction, later what the derivative of the solution
  /// makes of it.
  public static func tangentName(of field: String, direction: Int) -> String {
    "\(field)_tangent_\(direction)"
  }

  /// How many directions every field that varies has derivatives along.
  public var tangentCount: Int {
    let names = Set(fields.map(\.name))
    let varying = states.filter(\.isTimeVarying)
    guard !varying.isEmpty else { return 0 }
    var count = 0
    while varying.allSatisfy({ names.contains(Self.tangentName(of: $0.name, direction: count + 1)) }) {
      count += 1
    }
    return count
  }

  /// The fields that are not derivatives of others.
  public var states: [FieldDescription] {
    let names = Set(fields.map(\.name))
    var tangents: Set<String> = []
    for field in fields {
      for direction in 1... {
        let name = Self.tangentName(of: field.name, direction: direction)
        guard names.contains(name) else { break }
        tangents.insert(name)
      }
    }
    return fields.filter { !tangents.contains($0.name) }
  }

  /// The number of points along every axis.
  public var grid: [Int] { axes.map(\.count) }

  /// The shape of one sample of a field: `[time, ...grid]`, or `[...grid]` if it does not vary in time.
  public func shape(of field: FieldDescription) -> [Int] {
    field.isTimeVarying ? [frameCount] + grid : grid
  }
}
