import CPNG
import Files

/// An image of 8-bit red, green, blue and alpha values, rows from the top, encoded and decoded by libpng.
public struct PNGImage: Sendable, Equatable {
  /// The number of columns.
  public let width: Int

  /// The number of rows.
  public let height: Int

  /// Four bytes per pixel: red, green, blue, alpha (not premultiplied), rows from the top.
  public private(set) var bytes: [UInt8]

  /// An image of one colour.
  ///
  /// - Precondition: `width` and `height` are positive.
  public init(width: Int, height: Int, filledWith color: RGB, alpha: UInt8 = 255) {
    precondition(width > 0 && height > 0, "an image of \(width) x \(height) pixels")
    self.width = width
    self.height = height
    bytes = []
    bytes.reserveCapacity(4 * width * height)
    for _ in 0..<width * height { bytes += [color.red, color.green, color.blue, alpha] }
  }

  /// An image from its pixels, four bytes each, rows from the top.
  public init(width: Int, height: Int, bytes: [UInt8]) {
    precondition(
      width > 0 && height > 0 && bytes.count == 4 * width * height,
      "\(bytes.count) bytes for an image of \(width) x \(height) pixels")
    self.width = width
    self.height = height
    self.bytes = bytes
  }

  /// The red, green and blue of one pixel; column 0, row 0 is the upper left corner.
  public subscript(column: Int, row: Int) -> RGB {
    get {
      let start = 4 * (row * width + column)
      return RGB(bytes[start], bytes[start + 1], bytes[start + 2])
    }
    set {
      let start = 4 * (row * width + column)
      bytes[start] = newValue.red
      bytes[start + 1] = newValue.green
      bytes[start + 2] = newValue.blue
      bytes[start + 3] = 255
    }
  }

  /// The same picture with every pixel repeated `factor` times along both axes.
  public func scaled(by factor: Int) -> PNGImage {
    precondition(factor > 0, "scale factor \(factor)")
    guard factor > 1 else { return self }
    var scaled = [UInt8]()
    scaled.reserveCapacity(bytes.count * factor * factor)
    for row in 0..<height {
      var line = [UInt8]()
      line.reserveCapacity(4 * width * factor)
      for column in 0..<width {
        let start = 4 * (row * width + column)
        for _ in 0..<factor { line += bytes[start..<start + 4] }
      }
      for _ in 0..<factor { scaled += line }
    }
    return PNGImage(width: width * factor, height: height * factor, bytes: scaled)
  }

  /// The bytes of the PNG file.
  ///
  /// An image of at most 256 colours (every heat map) is stored with a palette, a quarter of the size.
  /// - Throws: ``FigureError/invalidImage(reason:)`` when libpng refuses.
  public func encoded() throws(FigureError) -> [UInt8] {
    if let (palette, indices) = palette() {
      return try Self.encode(
        width: width, height: height, format: cpng_format_rgba_colormap(), pixels: indices, palette: palette)
    }
    return try Self.encode(
      width: width, height: height, format: cpng_format_rgba(), pixels: bytes, palette: [])
  }

  /// Writes the PNG file, whole or not at all.
  ///
  /// - Throws: ``FigureError`` or `FileError`.
  public func write(to path: String) throws {
    try AtomicFile.write(try encoded(), to: path)
  }

  /// The image in the bytes of a PNG file.
  ///
  /// - Throws: ``FigureError/invalidImage(reason:)``.
  public init(decoding file: [UInt8]) throws(FigureError) {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    var pixels: [UInt8] = []
    // libpng reads from `file` until the image is finished, so both steps share one scope.
    let done = file.withUnsafeBytes { source in
      guard png_image_begin_read_from_memory(&image, source.baseAddress, source.count) != 0 else {
        return false
      }
      image.format = cpng_format_rgba()
      pixels = [UInt8](repeating: 0, count: 4 * Int(image.width) * Int(image.height))
      return pixels.withUnsafeMutableBytes {
        png_image_finish_read(&image, nil, $0.baseAddress, 0, nil) != 0
      }
    }
    guard done else { throw .invalidImage(reason: Self.message(of: image)) }
    self.init(width: Int(image.width), height: Int(image.height), bytes: pixels)
  }

  /// The distinct colours and each pixel's index among them, or nil when there are more than 256.
  private func palette() -> (colors: [UInt8], indices: [UInt8])? {
    var known: [UInt32: UInt8] = [:]
    var colors: [UInt8] = []
    var indices: [UInt8] = []
    indices.reserveCapacity(width * height)
    for start in stride(from: 0, to: bytes.count, by: 4) {
      let pixel = bytes[start..<start + 4]
      let key = pixel.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      if let index = known[key] {
        indices.append(index)
      } else {
        guard known.count < 256 else { return nil }
        let index = UInt8(known.count)
        known[key] = index
        colors += pixel
        indices.append(index)
      }
    }
    return (colors, indices)
  }

  private static func encode(
    width: Int, height: Int, format: UInt32, pixels: [UInt8], palette: [UInt8]
  ) throws(FigureError) -> [UInt8] {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    image.width = UInt32(width)
    image.height = UInt32(height)
    image.format = format
    image.colormap_entries = UInt32(palette.count / 4)
    defer { png_image_free(&image) }
    var size: png_alloc_size_t = 0
    let colormap: [UInt8]? = palette.isEmpty ? nil : palette
    func write(into memory: UnsafeMutableRawPointer?) -> Bool {
      if let colormap {
        return png_image_write_to_memory(&image, memory, &size, 0, pixels, 0, colormap) != 0
      }
      return png_image_write_to_memory(&image, memory, &size, 0, pixels, 0, nil) != 0
    }
    // The first call measures, the second writes.
    guard write(into: nil) else { throw .invalidImage(reason: message(of: image)) }
    var file = [UInt8](repeating: 0, count: Int(size))
    guard file.withUnsafeMutableBytes({ write(into: $0.baseAddress) }) else {
      throw .invalidImage(reason: message(of: image))
    }
    return Array(file.prefix(Int(size)))
  }

  private static func message(of image: png_image) -> String {
    withUnsafeBytes(of: image.message) { buffer in
      String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}

/// The base64 text of bytes (RFC 4648), for `data:` addresses.
func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text = [UInt8]()
  text.reserveCapacity((bytes.count + 2) / 3 * 4)
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
    for position in 0..<4 {
      text.append(
        position <= group.count ? alphabet[Int(bits >> (18 - 6 * UInt32(position)) & 63)] : UInt8(ascii: "="))
    }
  }
  return String(decoding: text, as: UTF8.self)
}
