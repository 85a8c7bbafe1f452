import Foundation
import HDF5

/// What is wrong with the content of a table of observations.
struct ObservationError: Error, Equatable, CustomStringConvertible {
  /// The file.
  let path: String
  /// Where in it, and what is wrong.
  let reason: String

  /// One line: where and what.
  var description: String { "\(path): \(reason)" }
}

/// Measured values, each with its place, its time and, if known, its standard deviation.
///
/// Read from CSV with a line of column names, or from HDF5 or netCDF with a one-dimensional dataset per column:
/// `x`, `y`, `t`, `value` and, optionally, `sigma`.
struct ObservationTable {
  /// The place of every value, in the coordinates of the domain: x, or x and y.
  let positions: [[Double]]
  /// The time of every value; nil without such a column, for steady fields.
  let times: [Double]?
  let values: [Double]
  let deviations: [Double]?
  /// How messages call every value: `line 5`.
  let labels: [String]

  private let path: String

  /// Whether a file is a table: CSV by its name, HDF5 by a dataset `value` at its root.
  static func isTable(_ path: String) throws -> Bool {
    if path.hasSuffix(".csv") { return true }
    guard let file = try? HDF5File(opening: path) else { return false }
    return try file.root.member("value") == .dataset
  }

  /// Reads a table and checks that every number is one.
  ///
  /// - Throws: `InputError` if the file cannot be read, `ObservationError` or `HDF5Error` for its content.
  init(contentsOf path: String) throws {
    self.path = path
    var columns: [String: [Double]] = [:]
    if path.hasSuffix(".csv") {
      (columns, labels) = try Self.csv(path)
    } else {
      let root = try HDF5File(opening: path).root
      for name in ["x", "y", "t", "value", "sigma"] where try root.member(name) == .dataset {
        columns[name] = try root.dataset(name).read(as: Double.self)
      }
      labels = (columns["value"] ?? []).indices.map { "value \($0)" }
    }
    for name in ["x", "value"] where columns[name] == nil {
      throw ObservationError(
        path: path,
        reason:
          "it has no column \(name); a table of observations has x, y, t, value and sigma (y in two dimensions, t where fields vary in time, sigma if known)"
      )
    }
    let (x, y) = (columns["x"] ?? [], columns["y"])
    (values, times, deviations) = (columns["value"] ?? [], columns["t"], columns["sigma"])
    positions = y.map { zip(x, $0).map { [$0, $1] } } ?? x.map { [$0] }
    let count = values.count
    guard [x, y ?? x, times ?? x, deviations ?? values].allSatisfy({ $0.count == count }) else {
      throw ObservationError(path: path, reason: "its columns have different lengths")
    }
    guard count > 0 else { throw ObservationError(path: path, reason: "it has no observations") }
    for index in values.indices {
      let numbers = [
        ("x", x), ("y", y ?? x), ("t", times ?? x), ("value", values), ("sigma", deviations ?? values),
      ]
      for (name, column) in numbers where !column[index].isFinite {
        throw problem(index, "\(name) is \(column[index]), which is not a finite number")
      }
      if let deviation = deviations?[index], deviation <= 0 {
        throw problem(
          index, "sigma is \(Text.number(deviation, digits: 6)); a standard deviation is positive")
      }
    }
  }

  /// An error about a column that is missing, or there without need.
  func problem(_ reason: String) -> ObservationError { ObservationError(path: path, reason: reason) }

  /// An error about one of the values.
  func problem(_ index: Int, _ reason: String) -> ObservationError {
    ObservationError(path: path, reason: "\(labels[index]): \(reason)")
  }

  private static func csv(_ path: String) throws -> ([String: [Double]], [String]) {
    var names: [String]?
    var columns: [String: [Double]] = [:]
    var labels: [String] = []
    let lines = try TextFile.read(path).split(separator: "\n", omittingEmptySubsequences: false)
    for (number, line) in lines.enumerated() {
      let text = line.trimmingCharacters(in: .whitespaces.union(.init(charactersIn: "\r")))
      if text.isEmpty || text.hasPrefix("#") { continue }
      let cells = text.split(separator: ",", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard let header = names else {
        guard Set(cells).count == cells.count else {
          throw ObservationError(path: path, reason: "line \(number + 1): two columns have one name")
        }
        names = cells
        continue
      }
      guard cells.count == header.count else {
        throw ObservationError(
          path: path,
          reason: "line \(number + 1): it has \(cells.count) columns, the line of names has \(header.count)")
      }
      for (name, cell) in zip(header, cells) where ["x", "y", "t", "value", "sigma"].contains(name) {
        guard let value = Double(cell) else {
          throw ObservationError(
            path: path, reason: "line \(number + 1): \(name) is '\(cell)', which is not a number")
        }
        columns[name, default: []].append(value)
      }
      labels.append("line \(number + 1)")
    }
    for name in names ?? [] where ["x", "y", "t", "value", "sigma"].contains(name) && columns[name] == nil {
      columns[name] = []
    }
    return (columns, labels)
  }
}
