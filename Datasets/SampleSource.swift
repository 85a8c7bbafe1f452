import Tensors

/// Samples of a dataset to be made: inputs drawn and solutions computed.
public protocol SampleSource: Sendable {
  /// What the samples are.
  var description: DatasetDescription { get }

  /// The fields of one sample, in the order of the description, each `[time, ...grid]` or `[...grid]`.
  ///
  /// Depends on `index` alone, so that samples are the same for any number of threads, shards and
  /// interruptions. Called from several threads at once.
  func sample(_ index: Int) throws -> [Tensor<Double>]

  /// The seconds that solving a sample took, where `sample` only fetches it; nil to have it measured.
  func solveSeconds(_ index: Int) -> Double?

  /// Compares the checksum of a sample, as it will be stored, with what is known of it.
  ///
  /// - Throws: An error that ends the work.
  func check(_ index: Int, checksum: UInt32) throws

  /// What the user should know about the samples made so far, a line each.
  var notices: [String] { get }
}

extension SampleSource {
  /// Measured.
  public func solveSeconds(_ index: Int) -> Double? { nil }

  /// Nothing.
  public var notices: [String] { [] }

  /// Nothing is known.
  public func check(_ index: Int, checksum: UInt32) throws {}
}

/// Where a dataset comes from: written into its file.
public struct DatasetProvenance: Codable, Sendable, Equatable {
  /// The full resolved configuration, as text.
  public var config: String
  /// The solver and its settings, as text.
  public var solver: String
  /// The seed of every sample's generator.
  public var seed: UInt64
  /// Name, version and revision of the program.
  public var software: String
  /// Which part of a larger dataset the file is, if it is one.
  public var shard: Shard?

  /// The provenance of a dataset.
  public init(config: String, solver: String, seed: UInt64, software: String, shard: Shard? = nil) {
    self.config = config
    self.solver = solver
    self.seed = seed
    self.software = software
    self.shard = shard
  }
}

/// The precision of stored fields.
public enum StoredPrecision: String, Codable, Sendable, CaseIterable {
  /// 32 bits.
  case single
  /// 64 bits.
  case double

  /// The bytes of one number.
  public var byteCount: Int { self == .single ? 4 : 8 }
}
