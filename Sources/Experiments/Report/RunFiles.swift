import Foundation
import HDF5
import Yams

/// The text of a file that may be absent: empty if it is, an error if it is there but cannot be read.
func textIfPresent(_ path: String) throws -> String {
  guard FileManager.default.fileExists(atPath: path) else { return "" }
  guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
  else { throw ReportError(path: path, reason: "cannot be read as UTF-8 text") }
  return text
}

/// `config.yaml` of a run: its text, and values by dotted key.
struct RunConfiguration {
  let text: String
  private let root: Node?

  init(contentsOf path: String) throws {
    text = try textIfPresent(path)
    do {
      root = text.isEmpty ? nil : try Yams.compose(yaml: text)
    } catch {
      throw ReportError(path: path, reason: "is not YAML: \(error)")
    }
  }

  /// The value as it is written, a list with its elements separated by ` × `; nil if absent.
  func value(_ key: String) -> String? {
    var node = root
    for part in key.split(separator: ".") { node = node?.mapping?[String(part)] }
    if let text = node?.scalar?.string { return text }
    let elements = node?.sequence?.compactMap { $0.scalar?.string } ?? []
    return elements.isEmpty ? nil : elements.joined(separator: " × ")
  }
}

/// A JSON file that may be absent: its text, and values by dotted key.
struct JSONObject {
  let text: String
  private let root: Any?

  init(contentsOf path: String) throws {
    text = try textIfPresent(path)
    guard !text.isEmpty else {
      root = nil
      return
    }
    guard let value = try? JSONSerialization.jsonObject(with: Data(text.utf8)), value is [String: Any] else {
      throw ReportError(path: path, reason: "is not a JSON object; write it again by repeating the run")
    }
    root = value
  }

  func value(_ key: String) -> Any? {
    var value = root
    for part in key.split(separator: ".") { value = (value as? [String: Any])?[String(part)] }
    return value
  }

  func number(_ key: String) -> Double? { (value(key) as? NSNumber)?.doubleValue }

  func numbers(_ key: String) -> [Double]? { (value(key) as? [NSNumber])?.map(\.doubleValue) }

  func string(_ key: String) -> String? {
    switch value(key) {
    case let text as String: text
    case let number as NSNumber: number.stringValue
    default: nil
    }
  }
}

/// `metrics.csv` of a run in its long form: epoch, split, metric, value.
struct MetricsTable {
  private var curves: [String: (epochs: [Double], values: [Double])] = [:]

  init(contentsOf path: String) throws {
    let lines = try textIfPresent(path).split(whereSeparator: \.isNewline)
    guard let header = lines.first else { return }
    let columns = header.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard let epoch = columns.firstIndex(of: "epoch"), let split = columns.firstIndex(of: "split"),
      let metric = columns.firstIndex(of: "metric"), let value = columns.firstIndex(of: "value")
    else {
      throw ReportError(path: path, reason: "its header must name the columns epoch, split, metric, value")
    }
    for (number, line) in lines.enumerated().dropFirst() {
      let cells = line.split(separator: ",", omittingEmptySubsequences: false)
      // The last line of a run that is being written may be cut off; any other must be whole.
      guard cells.count >= columns.count, let time = Double(cells[epoch]), let amount = Double(cells[value])
      else {
        if number == lines.count - 1 { break }
        throw ReportError(path: path, reason: "line \(number + 1) is not 'epoch,split,metric,value'")
      }
      let key = "\(cells[split]).\(cells[metric])"
      curves[key, default: ([], [])].epochs.append(time)
      curves[key, default: ([], [])].values.append(amount)
    }
  }

  func curve(_ split: String, _ metric: String) -> (epochs: [Double], values: [Double])? {
    curves["\(split).\(metric)"]
  }

  var lastEpoch: Int? { curves.values.compactMap { $0.epochs.max() }.max().map { Int($0) } }
}

/// An array of numbers from a file, with its shape.
struct StoredArray {
  let shape: [Int]
  let values: [Double]

  init(shape: [Int], values: [Double]) {
    self.shape = shape
    self.values = values
  }

  /// The dataset at `path`; nil if the file has none.
  init?(_ file: HDF5File, _ path: String) throws {
    guard try file.root.member(path) == .dataset else { return nil }
    let dataset = try file.root.dataset(path)
    shape = try dataset.shape()
    values = try dataset.read(as: Double.self)
  }

  /// Every `stride`-th position of the second axis, and of further axes the given positions, of the dataset at `path`.
  ///
  /// Nil if the file has none of that rank.
  init?(_ file: HDF5File, _ path: String, everyNth stride: Int, at further: [Int] = []) throws {
    guard try file.root.member(path) == .dataset else { return nil }
    let dataset = try file.root.dataset(path)
    let whole = try dataset.shape()
    guard whole.count == 2 + further.count, whole.allSatisfy({ $0 > 0 }) else { return nil }
    shape = [whole[0], (whole[1] + stride - 1) / stride]
    values = try dataset.read(
      as: Double.self,
      HDF5Slab(
        start: [0, 0] + further, count: shape + further.map { _ in 1 },
        stride: [1, stride] + further.map { _ in 1 }))
  }

  /// The elements at one position of the leading axes.
  func slice(_ indices: Int...) -> [Double] {
    let size = shape.dropFirst(indices.count).reduce(1, *)
    let position = zip(indices, shape).reduce(0) { $0 * $1.1 + $1.0 }
    return Array(values[position * size..<(position + 1) * size])
  }
}
