/// One of the parts, about equally long, in which a dataset may be generated and from which it is merged.
public struct Shard: Codable, Sendable, Equatable {
  /// Which part it is, from 0.
  public let index: Int
  /// How many parts there are.
  public let count: Int
  /// How many samples the whole dataset has.
  public let total: Int

  /// Part `index` of `count` of a dataset of `total` samples.
  ///
  /// - Throws: `DatasetError.invalidShard` if there is no such part or it would have no sample.
  public init(_ index: Int, of count: Int, total: Int) throws {
    guard count >= 1, (0..<count).contains(index) else {
      throw DatasetError.invalidShard(
        "there is no shard \(index) of \(count): shards count from 0 to \(max(1, count) - 1)")
    }
    guard count <= total else {
      throw DatasetError.invalidShard(
        "\(total) samples cannot be cut into \(count) shards; use at most \(total)")
    }
    self.index = index
    self.count = count
    self.total = total
  }

  /// The numbers of its samples.
  public var samples: Range<Int> {
    // Not total * index / count, which may overflow.
    let (length, longer) = total.quotientAndRemainder(dividingBy: count)
    let first = index * length + min(index, longer)
    return first..<first + length + (index < longer ? 1 : 0)
  }

  /// The name of the shard's file: `data/burgers-00003-of-00064.h5` for `data/burgers.h5`.
  public func path(of dataset: String) -> String { Self.path(of: dataset, index, count) }

  static func path(of dataset: String, _ index: Int, _ count: Int) -> String {
    func digits(_ number: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
    let name = dataset.lastIndex(of: "/").map { dataset.index(after: $0) } ?? dataset.startIndex
    // A leading dot hides a file, it does not begin an extension.
    let dot = dataset[name...].dropFirst().lastIndex(of: ".") ?? dataset.endIndex
    return "\(dataset[..<dot])-\(digits(index))-of-\(digits(count))\(dataset[dot...])"
  }
}
