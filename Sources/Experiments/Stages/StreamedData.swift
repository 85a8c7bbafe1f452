import Datasets
import Tensors
import Training

/// Samples of a dataset that stay in the file until a batch of them is wanted.
struct StreamedData: TrainingSource {
  let file: any ReadableDataset
  let mapping: FieldMapping
  /// The samples of the file that these are.
  let samples: Range<Int>
  /// Every how manieth point of each axis is taken.
  let stride: Int
  /// The points per axis after that.
  let grid: Shape
  /// Along how many directions the file's derivatives are wanted.
  let directionCount: Int

  var sampleCount: Int { samples.count }
  var inputShape: Shape { [mapping.inputs.count] + grid }
  var targetShape: Shape { [mapping.targets.count] + grid }

  /// The samples of these numbers, read in the order of the file.
  ///
  /// - Throws: `DatasetError`, `HDF5Error`; `CancellationError` on request.
  func read(_ numbers: [Int]) throws -> TrainingData {
    let (inputs, targets) = try read(numbers, mapping)
    return TrainingData(inputs: inputs, targets: targets)
  }

  /// Their derivatives, read likewise.
  ///
  /// - Throws: as `read`.
  func readTangents(_ numbers: [Int], direction: Int) throws -> TangentPairs {
    let (directions, products) = try read(numbers, mapping.tangents(direction: direction + 1))
    return TangentPairs(directions: directions, products: products)
  }

  private func read(
    _ numbers: [Int], _ mapping: FieldMapping
  ) throws -> (inputs: Tensor<Float>, targets: Tensor<Float>) {
    let order = numbers.indices.sorted { numbers[$0] < numbers[$1] }
    var inputs = Tensor<Float>(shape: [numbers.count] + inputShape)
    var targets = Tensor<Float>(shape: [numbers.count] + targetShape)
    var rest = order[...]
    while let first = rest.first {
      try Interruption.check()
      // Neighbours are read at once, and inputs and targets together: they may share a chunk. Not all of them, if
      // there are many: what is read is then copied, and would be in memory twice.
      let places = rest.prefix(partLength).enumerated().prefix { numbers[$1] == numbers[first] + $0 }
        .map(\.element)
      let start = samples.lowerBound + numbers[first]
      let range = start..<start + places.count
      try copy(
        FieldMapping.read(mapping.inputs, of: file, samples: range, stride: stride), to: &inputs, places)
      try copy(
        FieldMapping.read(mapping.targets, of: file, samples: range, stride: stride), to: &targets, places)
      rest = rest.dropFirst(places.count)
    }
    return (inputs, targets)
  }

  private func copy(_ part: Tensor<Float>, to fields: inout Tensor<Float>, _ places: [Int]) {
    let size = part.count / places.count
    fields.withUnsafeMutableBuffer { target in
      part.withUnsafeBuffer { source in
        for (index, place) in places.enumerated() {
          _ = UnsafeMutableBufferPointer(rebasing: target[place * size..<(place + 1) * size])
            .update(fromContentsOf: source[index * size..<(index + 1) * size])
        }
      }
    }
  }

  /// All of them, read once.
  ///
  /// - Throws: as `read`.
  func inMemory() throws -> TrainingData {
    let all = Array(0..<sampleCount)
    let data = try read(all)
    return TrainingData(
      inputs: data.inputs, targets: data.targets,
      tangents: try (0..<directionCount).map { try readTangents(all, direction: $0) })
  }

  /// How many samples are read at once: 4 MiB, or one; all of them where every part would cost a pass over the file.
  private var partLength: Int {
    if file.interleavesSamples { return max(1, sampleCount) }
    return max(1, (1 << 20) / (max(mapping.inputs.count, mapping.targets.count) * grid.reduce(1, *)))
  }

  /// Calls `take` with parts, one after another.
  ///
  /// - Throws: as `read`.
  func forEachPart(of side: TrainingSide, _ take: (Tensor<Float>) -> Void) throws {
    let channels = side == .input ? mapping.inputs : mapping.targets
    for first in Swift.stride(from: samples.lowerBound, to: samples.upperBound, by: partLength) {
      try Interruption.check()
      let range = first..<min(samples.upperBound, first + partLength)
      take(try FieldMapping.read(channels, of: file, samples: range, stride: stride))
    }
  }
}

extension RunData {
  /// One side of the split: its samples in memory or, if they are many, in the file.
  ///
  /// - Throws: `ConfigError` if they cannot stay in the file, `DatasetError`, `HDF5Error`.
  func source(
    _ side: KeyPath<Split, Range<Int>>, of file: any ReadableDataset, isStreamed: Bool, _ config: TrainConfig
  ) throws -> any TrainingSource {
    let (samples, stride) = (split[keyPath: side], config.data.stride)
    let directions = side == \.training ? directionCount(config) : 0
    let data = StreamedData(
      file: file, mapping: mapping, samples: samples, stride: stride, grid: grid, directionCount: directions)
    return isStreamed ? data : try data.inMemory()
  }

  /// Along how many directions training takes derivatives.
  private func directionCount(_ config: TrainConfig) -> Int {
    config.tangentWeight == nil ? 0 : trainFile.description.tangentCount
  }

  /// Whether the samples stay in their files, and are read batch by batch.
  ///
  /// - Parameter memory: the bytes that this process may use.
  /// - Throws: `ConfigError` if they are to and cannot.
  func isStreamed(_ config: TrainConfig, memory: Int, _ console: Console) throws -> Bool {
    let numbers = (mapping.inputs.count + mapping.targets.count) * grid.reduce(1, *)
    // Derivatives of a sample take as much as the sample, for every direction.
    let samples =
      (1 + directionCount(config)) * split.training.count + split.validation.count + split.test.count
    let needed = MemoryLayout<Float>.size * numbers * samples
    guard config.data.memory.isStreamed(bytes: needed, memory: memory) else { return false }
    if let interleaved = [trainFile, testFile].first(where: \.interleavesSamples) {
      let problem =
        "\(interleaved.path) stores its samples interleaved, so that every batch would cost a pass over the file; "
        + "translate it first: phalarope convert \(interleaved.path) NAME.h5"
      if config.data.memory == .streamed {
        throw config.mistake("data.memory", "is streamed, but \(problem)")
      }
      console.note("the samples take \(Text.bytes(needed)) of \(Text.bytes(memory)) of memory; \(problem)")
      return false
    }
    console.note(
      "the samples would take \(Text.bytes(needed)) of \(Text.bytes(memory)) of memory: they are read batch by "
        + "batch (data.memory)")
    return true
  }
}
