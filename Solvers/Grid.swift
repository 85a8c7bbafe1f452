import Tensors

/// One axis of a grid: what a data file says about it.
///
/// A periodic axis excludes its end point, which is its first point again; a bounded axis includes both ends.
public struct GridAxis: Sendable, Equatable {
  /// The name of the coordinate: `x` or `y`.
  public let name: String
  /// The coordinate of every point, in the units of the equation.
  public let coordinates: [Double]
  /// Whether the last point is followed by the first.
  public let isPeriodic: Bool

  /// `count` points i · length / count.
  public static func periodic(_ name: String, count: Int, length: Double = 1) -> GridAxis {
    precondition(count > 0 && length > 0, "an axis of \(count) points, length \(length)")
    let points = (0..<count).map { Double($0) * length / Double(count) }
    return GridAxis(name: name, coordinates: points, isPeriodic: true)
  }

  /// `count` points i · length / (count − 1).
  public static func bounded(_ name: String, count: Int, length: Double = 1) -> GridAxis {
    precondition(count > 1 && length > 0, "an axis of \(count) points, length \(length)")
    let points = (0..<count).map { Double($0) * length / Double(count - 1) }
    return GridAxis(name: name, coordinates: points, isPeriodic: false)
  }
}

/// What the solution does at the edge of the domain.
public enum BoundaryCondition: String, Sendable, Codable {
  /// The domain is a torus.
  case periodic
  /// The solution vanishes on the boundary.
  case zeroDirichlet
}

/// A solution operator of a known equation: what a data file records about the problem.
public protocol PhysicalProblem: SolutionOperator {
  /// The equation as text.
  var equation: String { get }
  /// The numbers in the equation, by the names they have there.
  var parameters: [(name: String, value: Double)] { get }
  /// The spatial axes, slowest first.
  var axes: [GridAxis] { get }
  /// What holds on the boundary.
  var boundaryCondition: BoundaryCondition { get }
  /// The shape of one field: how many coordinates the axes have.
  var gridShape: Shape { get }
}

/// A problem in time: maps an initial value to the solution at the recorded times.
public protocol EvolutionProblem: PhysicalProblem {
  /// The recorded times, increasing; t = 0 may be the first.
  var times: [Double] { get }
}

extension PhysicalProblem {
  /// By the axes.
  public var gridShape: Shape { Shape(axes.lazy.map(\.coordinates.count)) }

  /// Throws unless `inputs` is a batch of finite fields of this grid with one channel.
  func checkInputs(_ inputs: Tensor<Double>, of field: String) throws {
    let gridShape = gridShape
    guard inputs.rank == gridShape.count + 2, Array(inputs.shape.dropFirst()) == [1] + gridShape else {
      throw SolverError.invalidProblem(
        "the \(field) has shape \(inputs.shape), the solver expects [samples, 1, "
          + gridShape.map(String.init).joined(separator: ", ") + "]")
    }
    let stride = gridShape.reduce(1, *)
    let broken = inputs.withUnsafeBuffer { $0.firstIndex { !$0.isFinite } }
    if let broken {
      throw SolverError.invalidProblem("the \(field) of sample \(broken / stride) is not finite")
    }
  }
}
