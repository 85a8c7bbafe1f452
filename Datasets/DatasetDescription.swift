/// What a dataset holds: the equation, its axes, times, fields, boundary conditions and parameters.
///
/// It is written into every dataset file, in the layout of The Well (Ohana et al., NeurIPS 2024) with HDF5
/// dimension scales, and read back from it.
public struct DatasetDescription: Codable, Sendable, Equatable {
  /// A spatial axis of a Cartesian grid.
  public struct Axis: Codable, Sendable, Equatable {
    /// Its name, as `x`.
    public var name: String
    /// The grid points; a periodic axis leaves out its end point, a bounded one has both boundaries.
    public var coordinates: [Double]
    /// Whether the fields repeat beyond it.
    public var isPeriodic: Bool
    /// The unit of the coordinates, if they have one.
    public var unit: String?

    /// An axis from its grid points.
    public init(name: String, coordinates: [Double], isPeriodic: Bool, unit: String? = nil) {
      self.name = name
      self.coordinates = coordinates
      self.isPeriodic = isPeriodic
      self.unit = unit
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

  /// The name of the dataset: a word, as `burgers`.
  public var name: String
  /// One line that says what it is.
  public var title: String
  /// The equation as text.
  public var equation: String
  /// The spatial axes, in the order in which they are stored.
  public var axes: [Axis]
  /// The recorded times; empty if no field varies in time.
  public var times: [Double]
  /// The fields.
  public var fields: [FieldDescription]
  /// The boundary conditions.
  public var boundaryConditions: [BoundaryCondition]
  /// The parameters.
  public var parameters: [Parameter]

  /// A description; names must be distinct and without `/`.
  ///
  /// Without `boundaryConditions`, each axis has one for all fields: periodic or wall.
  public init(
    name: String, title: String, equation: String, axes: [Axis], times: [Double], fields: [FieldDescription],
    boundaryConditions: [BoundaryCondition]? = nil, parameters: [Parameter] = []
  ) {
    let problem = Self.problem(axes: axes, times: times, fields: fields, parameters: parameters)
    precondition(problem == nil, problem ?? "")
    self.name = name
    self.title = title
    self.equation = equation
    self.axes = axes
    self.times = times
    self.fields = fields
    self.boundaryConditions =
      boundaryConditions
      ?? axes.map { axis in
        BoundaryCondition(
          name: axis.name + (axis.isPeriodic ? "_periodic" : "_wall"),
          kind: axis.isPeriodic ? .periodic : .wall,
          axes: [axis.name], fields: fields.map(\.name))
      }
    self.parameters = parameters
  }

  /// What is wrong with the parts of a description, or nil: files of others may hold anything.
  static func problem(
    axes: [Axis], times: [Double], fields: [FieldDescription], parameters: [Parameter]
  ) -> String? {
    guard !axes.isEmpty, !fields.isEmpty else { return "it has no axis or no field" }
    guard axes.allSatisfy({ !$0.coordinates.isEmpty }) else { return "an axis has no points" }
    guard times.isEmpty != fields.contains(where: \.isTimeVarying) else {
      return "there must be times if and only if a field varies in time"
    }
    for names in [axes.map(\.name) + ["time", "sample"], fields.map(\.name), parameters.map(\.name)] {
      guard Set(names).count == names.count else { return "a name is used twice in \(names)" }
      guard names.allSatisfy({ !$0.isEmpty && !$0.contains("/") }) else {
        return "a name of \(names) is empty or has a /"
      }
    }
    return nil
  }

  /// The number of points along every axis.
  public var grid: [Int] { axes.map(\.coordinates.count) }

  /// The shape of one sample of a field: `[time, ...grid]`, or `[...grid]` if it does not vary in time.
  public func shape(of field: FieldDescription) -> [Int] {
    field.isTimeVarying ? [times.count] + grid : grid
  }
}
