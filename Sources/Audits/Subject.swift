import Datasets
import Foundation

/// What is audited, as far as the file says: shared by all checks.
public struct Subject: Sendable {
  /// What the file holds.
  public let description: DatasetDescription
  /// How many samples there are.
  public let sampleCount: Int
  /// The relative rounding error of every field, from the type that it is stored in.
  public let rounding: [String: Double]
  /// The frames of a sample in the order of time; empty for a steady problem.
  public let trajectory: [FrameSource]
  /// What false and true stand for, for fields that are stored as such.
  public let labels: [String: [Double]]
  /// The fields that are stored as false and true, and of which nobody says what that stands for.
  public let unlabelled: Set<String>

  /// Where one frame of a sample is stored.
  public struct FrameSource: Sendable, Equatable {
    /// The field.
    public var field: String
    /// The position among the field's frames.
    public var frame: Int
    /// Its time, if the file says it.
    public var time: Double?
  }

  /// What a file says, with the frames of its samples in the order of time.
  ///
  /// - Parameter labels: what false and true stand for in fields that may be stored as such.
  public init(
    _ dataset: any ReadableDataset, trajectory: [FrameSource] = [], labels: [String: [Double]] = [:]
  ) {
    let description = dataset.description
    self.description = description
    sampleCount = dataset.sampleCount
    rounding = Dictionary(
      uniqueKeysWithValues: zip(description.fields, dataset.storedTypes).map { ($0.name, $1.rounding) })
    self.trajectory = trajectory
    let logical = Set(zip(description.fields, dataset.storedTypes).filter { $1 == .bool }.map(\.0.name))
    self.labels = labels.filter { logical.contains($0.key) && $0.value.count == 2 }
    unlabelled = logical.subtracting(self.labels.keys)
  }

  /// A frame as a place in a file.
  func place(_ sample: Int, frame: Int, point: [Int]? = nil) -> Place {
    Place(sample: sample, field: trajectory[frame].field, frame: trajectory[frame].frame, point: point)
  }

  /// The rounding error of a frame.
  func rounding(ofFrame frame: Int) -> Double { rounding[trajectory[frame].field] ?? 0 }
}

extension StoredType {
  /// The largest relative error of rounding to it; zero for whole numbers, which are stored as they are.
  var rounding: Double {
    switch self {
    case .bool, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64: 0
    case .float16: 0x1p-11
    case .bfloat16: 0x1p-8
    case .float32: 0x1p-24
    case .float64: 0x1p-53
    }
  }
}
