/// A colour of the sRGB space, eight bits per component.
public struct RGB: Sendable, Equatable, Hashable {
  /// The red component.
  public var red: UInt8
  /// The green component.
  public var green: UInt8
  /// The blue component.
  public var blue: UInt8

  /// A colour from its components.
  public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// A colour from a number such as `0x1f77b4`.
  public init(hex: UInt32) {
    self.init(UInt8(hex >> 16 & 255), UInt8(hex >> 8 & 255), UInt8(hex & 255))
  }

  /// The colour as CSS and SVG write it, `#rrggbb`.
  public var hexadecimal: String {
    "#"
      + [red, green, blue].map {
        let digits = String($0, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
      }.joined()
  }

  /// The perceived lightness, 0 for black to 1 for white: the L of Oklab (Ottosson 2020).
  public var lightness: Double { Oklab(self).lightness }
}

/// A colour in Oklab, a space in which equal distances look about equally different (Ottosson 2020).
struct Oklab {
  var lightness: Double
  var a: Double
  var b: Double

  init(lightness: Double, a: Double, b: Double) {
    self.lightness = lightness
    self.a = a
    self.b = b
  }

  init(_ color: RGB) {
    func linear(_ component: UInt8) -> Double {
      let value = Double(component) / 255
      return value <= 0.04045 ? value / 12.92 : power((value + 0.055) / 1.055, 2.4)
    }
    let (r, g, b) = (linear(color.red), linear(color.green), linear(color.blue))
    let long = cubeRoot(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    let medium = cubeRoot(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    let short = cubeRoot(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    self.b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
  }

  var rgb: RGB {
    func cube(_ value: Double) -> Double { value * value * value }
    let long = cube(lightness + 0.3963377774 * a + 0.2158037573 * b)
    let medium = cube(lightness - 0.1055613458 * a - 0.0638541728 * b)
    let short = cube(lightness - 0.0894841775 * a - 1.2914855480 * b)
    func component(_ linear: Double) -> UInt8 {
      let value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * power(linear, 1 / 2.4) - 0.055
      return UInt8((min(max(value, 0), 1) * 255).rounded())
    }
    return RGB(
      component(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
      component(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
      component(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short))
  }

  static func mix(_ from: Oklab, _ to: Oklab, _ fraction: Double) -> Oklab {
    Oklab(
      lightness: from.lightness + fraction * (to.lightness - from.lightness),
      a: from.a + fraction * (to.a - from.a), b: from.b + fraction * (to.b - from.b))
  }
}

/// A map from [0, 1] to colours whose lightness orders them, so that it also reads without colour vision.
///
/// Colours between the control points are interpolated in Oklab; there are 256 of them.
public struct ColorMap: Sendable, Equatable {
  /// The name shown in documentation and file names.
  public let name: String

  /// The 256 colours, from the lowest value to the highest.
  public let colors: [RGB]

  /// A colour map through the given control points, equally spaced over [0, 1].
  ///
  /// - Precondition: there are at least two points.
  public init(name: String, controlPoints: [RGB]) {
    precondition(controlPoints.count > 1, "a colour map needs two control points")
    self.name = name
    let points = controlPoints.map { Oklab($0) }
    colors = (0..<256).map { index in
      let position = Double(index) / 255 * Double(points.count - 1)
      let left = min(Int(position), points.count - 2)
      return Oklab.mix(points[left], points[left + 1], position - Double(left)).rgb
    }
  }

  /// For values that run from low to high: dark violet over green to yellow.
  ///
  /// Eleven of the colours of viridis (Smith and van der Walt 2015, released under CC0).
  public static let sequential = ColorMap(
    name: "viridis",
    controlPoints: [
      0x440154, 0x482475, 0x414487, 0x355f8d, 0x2a788e, 0x21918c, 0x22a884, 0x44bf70, 0x7ad151, 0xbddf26,
      0xfde725,
    ].map { RGB(hex: $0) })

  /// For signed values around zero: blue over white to red, the two arms equally light at equal distance.
  ///
  /// Built in Oklab: lightness falls linearly from 0.97 at the centre to 0.38 at both ends, along two
  /// opposite hues that deuteranopes and protanopes can tell apart.
  public static let diverging = ColorMap(
    name: "balance",
    controlPoints: (0...16).map { index in
      let side = Double(index) / 8 - 1
      let distance = abs(side)
      // Chroma rises and falls again towards the dark ends, where sRGB has little of it.
      let chroma = 0.30 * distance * (1 - 0.56 * distance)
      let hue = side < 0 ? (a: -0.160, b: -0.987) : (a: 0.887, b: 0.462)
      return Oklab(lightness: 0.97 - 0.59 * distance, a: chroma * hue.a, b: chroma * hue.b).rgb
    })

  /// For values that are never negative and start at zero, such as a standard deviation: dark to light.
  ///
  /// Nine of the colours of inferno (Smith and van der Walt 2015, released under CC0).
  public static let magnitude = ColorMap(
    name: "inferno",
    controlPoints: [
      0x000004, 0x210c4a, 0x57106e, 0x8a226a, 0xbc3754, 0xe45a31, 0xf98e09, 0xf9cb35, 0xfcffa4,
    ].map { RGB(hex: $0) })

  /// The colour of a fraction; values outside [0, 1] get the colour of the nearer end.
  public func color(at fraction: Double) -> RGB {
    // Written so that NaN, which no comparison admits, gets the lowest colour.
    guard fraction > 0 else { return colors[0] }
    return colors[min(255, Int(min(fraction, 1) * 256))]
  }
}
