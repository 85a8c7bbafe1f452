import Foundation

/// A complex number: a symbol of a differential operator at one wave vector.
public struct Complex: Sendable, Equatable {
  /// The real part: growth, or decay where it is negative.
  public var real: Double
  /// The imaginary part: oscillation.
  public var imaginary: Double

  /// real + i imaginary.
  public init(_ real: Double, _ imaginary: Double = 0) {
    self.real = real
    self.imaginary = imaginary
  }

  /// The imaginary unit: ∂/∂x is i k.
  public static let i = Complex(0, 1)

  /// The absolute value.
  public var magnitude: Double {
    // Exact, and most symbols are one or the other.
    if imaginary == 0 { return abs(real) }
    return real == 0 ? abs(imaginary) : hypot(real, imaginary)
  }

  /// The sum.
  public static func + (a: Complex, b: Complex) -> Complex {
    Complex(a.real + b.real, a.imaginary + b.imaginary)
  }

  /// The difference.
  public static func - (a: Complex, b: Complex) -> Complex {
    Complex(a.real - b.real, a.imaginary - b.imaginary)
  }

  /// The product.
  public static func * (a: Complex, b: Complex) -> Complex {
    Complex(a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real)
  }

  /// The product with a real number.
  public static func * (a: Double, b: Complex) -> Complex { Complex(a * b.real, a * b.imaginary) }

  /// The quotient.
  public static func / (a: Complex, b: Complex) -> Complex {
    let size = b.real * b.real + b.imaginary * b.imaginary
    return Complex(
      (a.real * b.real + a.imaginary * b.imaginary) / size,
      (a.imaginary * b.real - a.real * b.imaginary) / size)
  }
}

/// The wave numbers of a Fourier mode e^{i(k_x x + k_y y)}, in radians per unit of length.
public struct WaveVector: Sendable, Equatable {
  /// The wave number along x.
  public let x: Double
  /// The wave number along y; zero in one dimension.
  public let y: Double

  /// The wave vector (x, y).
  public init(x: Double, y: Double = 0) {
    self.x = x
    self.y = y
  }

  /// |k|²: the symbol of −Δ.
  public var squared: Double { x * x + y * y }
}
