import Datasets
import Tensors
import Training

/// Which fields and times of a dataset are the input of a model, and which its target.
///
/// Of fields that vary in time the frames of the configuration are taken, by default the first as input and
/// the last as target. Of steady ones the first field is the input and the others are the target.
struct FieldMapping: Sendable, Equatable {
  /// One channel: a field, at one time if it varies.
  struct Channel: Sendable, Equatable {
    let field: String
    let frame: Int?
    /// The time of the frame, if it is stated.
    let time: Double?
    /// How figures and files call it, as `vorticity at t = 10`.
    let name: String
  }

  let inputs: [Channel]
  let targets: [Channel]

  /// The channels of a configuration in a dataset.
  ///
  /// - Throws: `ConfigError` for frames that the dataset does not have.
  init(_ config: TrainConfig, _ description: DatasetDescription, path: String) throws {
    // Derivatives are neither input nor target.
    let varying = description.states.filter(\.isTimeVarying)
    if varying.isEmpty {
      guard description.fields.count >= 2 else {
        throw DatasetError.wrongLayout(
          path: path, reason: "it has one steady field; a model needs an input and a target")
      }
      for (key, frames) in [
        ("input_frames", config.data.inputFrames), ("target_frames", config.data.targetFrames),
      ]
      where frames != nil {
        throw config.mistake("data.\(key)", "is given, but the fields of \(path) do not vary in time")
      }
      let channels = description.fields.map { Channel(field: $0.name, frame: nil, time: nil, name: $0.name) }
      inputs = [channels[0]]
      targets = Array(channels.dropFirst())
      return
    }
    func channels(_ key: String, _ frames: [Int]) throws -> [Channel] {
      let count = description.frameCount
      return try varying.flatMap { field in
        try frames.map { frame in
          guard (-count..<count).contains(frame) else {
            throw config.mistake(
              "data.\(key)",
              "asks for frame \(frame); \(path) has \(count): 0 to \(count - 1), or -\(count) to -1 from the end"
            )
          }
          let position = frame < 0 ? frame + count : frame
          let time = description.times.map { "at t = \(Text.number($0[position], digits: 6))" }
          return Channel(
            field: field.name, frame: position, time: description.times?[position],
            name: "\(field.name) \(time ?? "in frame \(position)")")
        }
      }
    }
    inputs = try channels("input_frames", config.data.inputFrames ?? [0])
    targets = try channels("target_frames", config.data.targetFrames ?? [-1])
  }

  /// The channels that hold the derivatives along a direction, counted from 1.
  func tangents(direction: Int) -> FieldMapping {
    func derivatives(_ channels: [Channel]) -> [Channel] {
      channels.map { channel in
        Channel(
          field: DatasetDescription.tangentName(of: channel.field, direction: direction),
          frame: channel.frame, time: channel.time, name: channel.name)
      }
    }
    return FieldMapping(inputs: derivatives(inputs), targets: derivatives(targets))
  }

  private init(inputs: [Channel], targets: [Channel]) {
    self.inputs = inputs
    self.targets = targets
  }

  /// The derivatives of the targets of samples along a direction of the inputs, counted from 1.
  ///
  /// - Throws: `DatasetError`, `HDF5Error`.
  func readTangents(
    of file: any ReadableDataset, direction: Int, samples: Range<Int>, stride: Int
  ) throws -> TangentPairs {
    let mapping = tangents(direction: direction)
    return TangentPairs(
      directions: try Self.read(mapping.inputs, of: file, samples: samples, stride: stride),
      products: try Self.read(mapping.targets, of: file, samples: samples, stride: stride))
  }

  /// Samples of some channels: `[sample, channel, ...grid]`.
  ///
  /// - Throws: `DatasetError`, `HDF5Error`.
  static func read(
    _ channels: [Channel], of file: any ReadableDataset, samples: Range<Int>, stride: Int
  ) throws -> Tensor<Float> {
    var parts: [Tensor<Float>] = []
    var rest = channels[...]
    while let first = rest.first {
      let run = rest.prefix { $0.field == first.field }
      rest = rest.dropFirst(run.count)
      let frames = first.frame == nil ? nil : run.compactMap(\.frame)
      parts.append(try file.read(field: first.field, samples: samples, frames: frames, stride: stride))
    }
    return parts.count == 1 ? parts[0] : joined(parts)
  }

  /// The points per axis of a file's fields at every stride-th point.
  ///
  /// - Throws: `DatasetError` for a stride that the grid does not allow.
  func grid(of file: any ReadableDataset, stride: Int) throws -> Shape {
    // Reading nothing still checks the stride.
    let nothing = try Self.read([inputs[0]], of: file, samples: 0..<0, stride: stride)
    return nothing.shape.dropFirst(2)
  }

  /// Tensors `[sample, channel, ...grid]` one behind the other along the channels.
  private static func joined(_ parts: [Tensor<Float>]) -> Tensor<Float> {
    let samples = parts[0].shape[0]
    let channels = parts.reduce(0) { $0 + $1.shape[1] }
    return Tensor(shape: [samples, channels] + parts[0].shape.dropFirst(2)) { target in
      var position = 0
      for sample in 0..<samples {
        for part in parts {
          let size = part.count / samples
          part.withUnsafeBuffer { source in
            let slice = source[sample * size..<(sample + 1) * size]
            _ = UnsafeMutableBufferPointer(rebasing: target[position..<position + size])
              .update(fromContentsOf: slice)
          }
          position += size
        }
      }
    }
  }
}

/// The data files of a run, opened, with what the configuration takes from them.
struct RunData {
  let trainFile: any ReadableDataset
  let testFile: any ReadableDataset
  let mapping: FieldMapping
  let split: Split
  /// The points per axis that the model sees.
  let grid: Shape

  /// Opens the files and checks that they hold what the configuration asks for.
  ///
  /// - Throws: `HDF5Error`, `DatasetError`, `ConfigError`.
  init(_ config: TrainConfig) throws {
    trainFile = try openDataset(config.data.train)
    testFile = config.data.test == config.data.train ? trainFile : try openDataset(config.data.test)
    mapping = try FieldMapping(config, trainFile.description, path: config.data.train)
    let testMapping = try FieldMapping(config, testFile.description, path: config.data.test)
    guard mapping == testMapping, trainFile.description.grid == testFile.description.grid else {
      throw config.mistake(
        "data.test", "is \(config.data.test), whose fields, times or grid differ from \(config.data.train)")
    }
    if config.tangentWeight != nil, trainFile.description.tangentCount == 0 {
      throw config.mistake(
        "loss.tangent_weight",
        "is given, but \(config.data.train) has no derivatives; generate it with 'tangents: 1' or more")
    }
    split = try Split(
      trainingFile: (config.data.train, trainFile.sampleCount), trainingSamples: config.data.trainSamples,
      validationSamples: config.data.validationSamples ?? 0,
      testFile: (config.data.test, testFile.sampleCount), testSamples: config.data.testSamples)
    grid = try mapping.grid(of: trainFile, stride: config.data.stride)
  }

  /// The checksums of the files, for the manifest.
  func checksums() throws -> [String: String] {
    var checksums: [String: String] = [:]
    for file in [trainFile, testFile] {
      checksums[file.path] = try file.contentChecksum().map(Text.hexadecimal) ?? "none"
    }
    return checksums
  }
}
