import Foundation

/// The table `metrics.csv` of a run: one row per epoch, split and metric.
struct Metrics: Sendable, Equatable {
  static let header = "epoch,split,metric,value"

  /// A row of the table.
  struct Row: Sendable, Equatable {
    let epoch: Int
    let split: String
    let metric: String
    let value: Double
  }

  private(set) var rows: [Row] = []

  init() {}

  /// Reads a table.
  ///
  /// - Throws: `InputError` if the file cannot be read or is no such table.
  init(contentsOf path: String) throws {
    let lines = try TextFile.read(path).split(separator: "\n")
    guard lines.first.map(String.init) == Self.header else {
      throw InputError(path: path, reason: "is not a table of metrics: it must begin with '\(Self.header)'")
    }
    for line in lines.dropFirst() {
      let entries = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard entries.count == 4, let epoch = Int(entries[0]), let value = Double(entries[3]) else {
        throw InputError(path: path, reason: "has a row that is not 'epoch,split,metric,value': \(line)")
      }
      rows.append(Row(epoch: epoch, split: entries[1], metric: entries[2], value: value))
    }
  }

  /// Adds a row.
  mutating func add(_ epoch: Int, _ split: String, _ metric: String, _ value: Double) {
    rows.append(Row(epoch: epoch, split: split, metric: metric, value: value))
  }

  /// Removes the rows of later epochs: those that a run continues from an earlier checkpoint will repeat.
  mutating func removeEpochs(after epoch: Int) { rows.removeAll { $0.epoch > epoch } }

  /// Writes the table.
  ///
  /// - Throws: `OutputError`.
  func write(to path: String) throws {
    let lines = rows.map { "\($0.epoch),\($0.split),\($0.metric),\($0.value)" }
    try TextFile.write(([Self.header] + lines).joined(separator: "\n") + "\n", to: path)
  }

  /// The last epoch of the table.
  var lastEpoch: Int? { rows.map(\.epoch).max() }

  /// The latest value of every metric by `split metric`.
  var latest: [String: Double] {
    Dictionary(rows.map { ("\($0.split) \($0.metric)", $0.value) }) { $1 }
  }
}
