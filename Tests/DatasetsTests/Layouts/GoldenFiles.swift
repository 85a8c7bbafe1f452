import Datasets
import Foundation
import Tensors
import Testing

/// The files that `Tests/Golden/layouts.py` made, and the numbers that are in them.
enum GoldenFiles {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Golden/Layouts").path

  static func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// A field as the script computes it: exact in single precision, and different everywhere.
  static func value(_ field: Double, sample: Int, frame: Int = 0, _ place: [Int]) -> Double {
    field + 16 * Double(sample) + 2 * Double(frame) + Double(place[0]) / 8
      + (place.count > 1 ? Double(place[1]) / 128 : 0)
  }

  /// Expects every number of a field to be that of the script, in both precisions and however it is read.
  static func expect(
    _ dataset: any ReadableDataset, _ field: String, _ number: Double, isExact: Bool = true,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let description = dataset.description
    let isTimeVarying = description.fields.contains { $0.name == field && $0.isTimeVarying }
    let frameCount = isTimeVarying ? description.frameCount : 1
    let all = 0..<dataset.sampleCount
    var parts: [(samples: Range<Int>, frames: [Int]?, stride: Int)] = [
      (all, nil, 1), (1..<dataset.sampleCount, nil, 1), (0..<1, [0], 1),
      (1..<2, [frameCount - 1, 0, frameCount - 1], 1),
    ]
    if description.grid.allSatisfy({ $0.isMultiple(of: 2) }) { parts.append((all, nil, 2)) }
    for part in parts {
      let frames = isTimeVarying ? part.frames ?? Array(0..<frameCount) : [0]
      let kept = description.grid.map { ($0 + part.stride - 1) / part.stride }
      let double = try dataset.readDouble(
        field: field, samples: part.samples, frames: part.frames, stride: part.stride)
      let single = try dataset.read(
        field: field, samples: part.samples, frames: part.frames, stride: part.stride)
      #expect(double.shape == [part.samples.count, frames.count] + kept, sourceLocation: location)
      guard double.shape == [part.samples.count, frames.count] + kept else { return }
      var expected: [Double] = []
      for sample in part.samples {
        for frame in frames {
          for place in places(kept) {
            expected.append(value(number, sample: sample, frame: frame, place.map { $0 * part.stride }))
          }
        }
      }
      #expect(double.scalars == expected, "\(field), \(part)", sourceLocation: location)
      #expect(single.scalars == expected.map { Float($0) }, "\(field), \(part)", sourceLocation: location)
    }
  }

  /// All places of a grid in row-major order.
  static func places(_ grid: [Int]) -> [[Int]] {
    grid.reduce([[]]) { places, length in places.flatMap { place in (0..<length).map { place + [$0] } } }
  }
}
