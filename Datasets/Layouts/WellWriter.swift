import Files
import Foundation
import HDF5
import Tensors

/// Writes the layout of The Well, with dimension scales, checksums and an XDMF file beside it, as `generate` does.
struct WellWriter {
  let transfer: Transfer
  let path: String
  let software: String

  init(_ transfer: Transfer, path: String, software: String) {
    self.transfer = transfer
    self.path = path
    self.software = software
  }

  func write() throws {
    let source = transfer.source
    var description = source.description
    if description.name.isEmpty {
      description.name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    }
    let origin = source as? DatasetFile
    let precisions = source.storedTypes.map { $0.fitsSingle ? StoredPrecision.single : .double }
    let seconds = try source.solveSeconds()
    try HDF5File.write(to: path, overwriting: true) { file in
      try DatasetLayout.create(
        in: file,
        DatasetLayout.Contents(
          description: description, seeds: try origin?.sampleSeeds(), sampleCount: source.sampleCount,
          precisions: precisions, provenance: source.provenance,
          software: source.provenance?.software ?? software, hasSeconds: seconds != nil),
        createdAt: source.createdAt ?? ISO8601DateFormatter().string(from: Date()))
      if let seconds { try file.root.dataset(DatasetLayout.seconds).write(seconds) }
      var checksums = [Checksum](repeating: Checksum(), count: source.sampleCount)
      for (field, type) in transfer.fields {
        let dataset = try file.root.dataset("t0_fields/\(field.name)")
        if type != .float32 && type != .float64 {
          try dataset.attributes.set(DatasetLayout.storedType, type.rawValue)
        }
        for part in transfer.parts(of: field, type) {
          try write(part(), of: field, to: dataset, &checksums)
        }
      }
      try file.root.dataset(DatasetLayout.checksums).write(checksums.map(\.value))
    }
    try XDMF.write(besides: path, description, sampleCount: source.sampleCount, precisions: precisions)
  }

  private func write(
    _ part: Transfer.Part, of field: DatasetDescription.FieldDescription, to dataset: HDF5Dataset,
    _ checksums: inout [Checksum]
  ) throws {
    let grid = transfer.description.grid
    let slab = HDF5Slab(
      start: [part.samples.lowerBound] + (field.isTimeVarying ? [part.frames.lowerBound] : [])
        + grid.map { _ in 0 },
      count: [part.samples.count] + (field.isTimeVarying ? [part.frames.count] : []) + grid)
    func update(_ bytes: UnsafeRawBufferPointer) {
      let size = bytes.count / part.samples.count
      for (position, sample) in part.samples.enumerated() {
        checksums[sample].update(
          UnsafeRawBufferPointer(rebasing: bytes[position * size..<(position + 1) * size]))
      }
    }
    switch part.numbers {
    case .single(let tensor):
      try tensor.withUnsafeBuffer {
        update(UnsafeRawBufferPointer($0))
        try dataset.write($0, slab)
      }
    case .double(let tensor):
      try tensor.withUnsafeBuffer {
        update(UnsafeRawBufferPointer($0))
        try dataset.write($0, slab)
      }
    }
  }
}
