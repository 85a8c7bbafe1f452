import CZlib

/// The bytes that a zlib stream (RFC 1950) in a file stands for.
///
/// Needs the memory of one buffer, however long the stream or its content is.
public final class Inflater: ByteReader {
  /// A bound: deflate makes at most 1,032 bytes of one.
  public let count: Int
  private let file: FileReader
  private let range: Range<Int>
  private var stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private var input = [UInt8](repeating: 0, count: 1 << 16)
  private var output = [UInt8](repeating: 0, count: 1 << 16)
  /// The content's bytes that `output` has.
  private var held = 0..<0
  private var isOpen = false
  private var nextInput = 0
  private var unread: Range<Int> = 0..<0

  /// A stream that lies in these bytes of a file.
  public init(_ range: Range<Int>, of file: FileReader) {
    self.file = file
    self.range = range
    let (product, overflow) = range.count.multipliedReportingOverflow(by: 1032)
    count = overflow ? .max : product
  }

  deinit {
    if isOpen { inflateEnd(stream) }
    stream.deallocate()
  }

  /// Fills `target` with the content's bytes from a position on.
  public func read(at position: Int, into target: UnsafeMutableRawBufferPointer) throws {
    guard position >= 0, position <= count, target.count <= count - position else { throw truncated() }
    if position < held.lowerBound || !isOpen { try rewind() }
    var done = 0
    while done < target.count {
      let wanted = position + done
      if wanted >= held.upperBound {
        try inflateMore()
        continue
      }
      let offset = wanted - held.lowerBound
      let size = min(held.upperBound - wanted, target.count - done)
      output.withUnsafeBytes { source in
        (target.baseAddress! + done).copyMemory(from: source.baseAddress! + offset, byteCount: size)
      }
      done += size
    }
  }

  private func rewind() throws {
    if isOpen { inflateEnd(stream) }
    stream.initialize(to: z_stream())
    guard czlib_inflate_init(stream) == Z_OK else {
      throw ArchiveError(.unreadable, path: file.path, "zlib cannot be started: not enough memory")
    }
    isOpen = true
    held = 0..<0
    nextInput = range.lowerBound
    unread = 0..<0
  }

  /// Replaces `output` by the bytes that follow.
  private func inflateMore() throws {
    let start = held.upperBound
    var made = 0
    while made == 0 {
      if unread.isEmpty {
        let size = min(input.count, range.upperBound - nextInput)
        guard size > 0 else { throw truncated() }
        try input.withUnsafeMutableBytes { buffer in
          try file.read(at: nextInput, into: UnsafeMutableRawBufferPointer(rebasing: buffer[0..<size]))
        }
        nextInput += size
        unread = 0..<size
      }
      let status = input.withUnsafeMutableBufferPointer { source in
        output.withUnsafeMutableBufferPointer { target in
          stream.pointee.next_in = source.baseAddress! + unread.lowerBound
          stream.pointee.avail_in = UInt32(unread.count)
          stream.pointee.next_out = target.baseAddress!
          stream.pointee.avail_out = UInt32(target.count)
          return inflate(stream, Z_NO_FLUSH)
        }
      }
      unread = unread.upperBound - Int(stream.pointee.avail_in)..<unread.upperBound
      made = output.count - Int(stream.pointee.avail_out)
      switch status {
      case Z_OK, Z_BUF_ERROR: continue
      case Z_STREAM_END: if made == 0 { throw truncated() }
      default:
        throw ArchiveError(.damaged, path: file.path, "its compressed data are damaged; copy it again")
      }
    }
    held = start..<start + made
  }

  private func truncated() -> ArchiveError {
    ArchiveError(.damaged, path: file.path, "truncated: its compressed data end too early")
  }
}
