#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

// The few functions of the C library that this module needs, so that no other file imports a platform.

func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }

func decimalLogarithm(_ value: Double) -> Double { log10(value) }

/// The cosine and sine of a fraction of the full turn.
func direction(_ turn: Double) -> (cosine: Double, sine: Double) {
  (cos(2 * .pi * turn), sin(2 * .pi * turn))
}

func cubeRoot(_ value: Double) -> Double { cbrt(value) }

/// An error of the module: an image that cannot be coded.
public enum FigureError: Error, Equatable, CustomStringConvertible {
  /// The bytes are not a PNG image that libpng can read, or the image cannot be encoded.
  case invalidImage(reason: String)

  /// What went wrong, where, and what to do.
  public var description: String {
    switch self {
    case .invalidImage(let reason): "invalid PNG image: \(reason)"
    }
  }
}
