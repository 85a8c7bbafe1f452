import Datasets
import Tensors

/// A dataset in memory, for tests of writers.
struct MemoryDataset: ReadableDataset {
  let path = "memory"
  let layout = FileLayout.npz
  let description: DatasetDescription
  let sampleCount: Int
  let storedTypes: [StoredType]
  var notes: [String] = []
  var provenance: DatasetProvenance?
  var createdAt: String? = "2026-01-02T03:04:05Z"
  var interleavesSamples = false
  /// `[sample, time, ...grid]` of every field, by its name.
  let fields: [String: Tensor<Double>]

  func read(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Float> {
    // Signalling numbers that are none keep their bits only if nothing is converted, so the bits are in the double's.
    let selected = select(field, samples, frames)
    return Tensor(
      shape: selected.shape,
      scalars: selected.scalars.map {
        $0.isNaN ? Float(bitPattern: UInt32(truncatingIfNeeded: $0.bitPattern)) : Float($0)
      })
  }

  func readDouble(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Double> { select(field, samples, frames) }

  private func select(_ field: String, _ samples: Range<Int>, _ frames: [Int]?) -> Tensor<Double> {
    guard let values = fields[field]?[first: samples] else { preconditionFailure("no field \(field)") }
    guard let frames else { return values }
    let parts = frames.map { frame in
      (0..<samples.count).map { sample in
        values[first: sample..<sample + 1].reshaped(to: values.shape.dropFirst())[
          first: frame..<frame + 1]
      }
    }
    let grid = Array(values.shape.dropFirst(2))
    return Tensor(
      shape: [samples.count, frames.count] + grid,
      scalars: (0..<samples.count).flatMap { sample in parts.flatMap { $0[sample].scalars } })
  }

  func solveSeconds() throws -> [Double]? { nil }
  func contentChecksum() throws -> UInt32? { nil }
}

extension MemoryDataset {
  /// A dataset of two axes whose numbers are random bits, one field of every type; every second one varies in time.
  static func random(types: [StoredType], samples: Int = 3, frames: Int = 4, grid: [Int] = [4, 3])
    -> MemoryDataset
  {
    var random = Philox(seed: 1, stream: .inputs)
    var fields: [String: Tensor<Double>] = [:]
    var descriptions: [DatasetDescription.FieldDescription] = []
    for (index, type) in types.enumerated() {
      let isTimeVarying = index.isMultiple(of: 2)
      let shape: Shape = [samples, isTimeVarying ? frames : 1] + grid
      let values = (0..<shape.reduce(1, *)).map { _ in Self.number(of: type, bits: random.next()) }
      fields[type.rawValue] = Tensor(shape: shape, scalars: values)
      descriptions.append(
        .init(name: type.rawValue, isTimeVarying: isTimeVarying, unit: index == 0 ? "m" : nil))
    }
    let times = types.isEmpty ? [] : (0..<frames).map { 0.1 * Double($0) }
    return MemoryDataset(
      description: DatasetDescription(
        name: "random", title: "Random bits", equation: "none",
        axes: [
          .periodic("x", count: grid[0], length: 0.1),
          DatasetDescription.Axis(name: "y", count: grid[1], isPeriodic: false),
        ],
        times: times, fields: descriptions, parameters: [.init(name: "nu", value: 0.1)]),
      sampleCount: samples, storedTypes: types,
      provenance: DatasetProvenance(config: "a: 1\n", solver: "none", seed: 7, software: "test"),
      fields: fields)
  }

  /// Any number of a type, also ones that are not finite.
  private static func number(of type: StoredType, bits: UInt64) -> Double {
    switch type {
    case .bool: Double(bits & 1)
    case .int8: Double(Int8(truncatingIfNeeded: bits))
    case .uint8: Double(UInt8(truncatingIfNeeded: bits))
    case .int16: Double(Int16(truncatingIfNeeded: bits))
    case .uint16: Double(UInt16(truncatingIfNeeded: bits))
    case .int32: Double(Int32(truncatingIfNeeded: bits))
    case .uint32: Double(UInt32(truncatingIfNeeded: bits))
    case .int64: Double(Int64(bitPattern: bits) >> 12)
    case .uint64: Double(bits >> 12)
    case .float16: float16(UInt16(truncatingIfNeeded: bits))
    case .bfloat16: single(UInt32(truncatingIfNeeded: bits & 0xFFFF) << 16)
    case .float32: single(UInt32(truncatingIfNeeded: bits))
    case .float64: Double(bitPattern: bits)
    }
  }

  /// A number of 32 bits; of one that is none the bits are kept in the double's.
  private static func single(_ bits: UInt32) -> Double {
    let value = Float(bitPattern: bits)
    return value.isNaN ? Double(bitPattern: 0x7FF8_0000_0000_0000 | UInt64(bits)) : Double(value)
  }

  private static func float16(_ bits: UInt16) -> Double {
    let sign: Double = bits & 0x8000 == 0 ? 1 : -1
    let (exponent, fraction) = (Int(bits >> 10 & 31), Double(bits & 0x3FF))
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : sign * 65504
    default:
      return sign * (1 + fraction / 1024) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
    }
  }
}
