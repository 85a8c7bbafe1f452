import Foundation
import Tensors

/// Periodic Gaussian random fields of mean zero on the unit torus, in one or two dimensions.
///
/// The covariance is σ² (−Δ + τ²)^(−α) on functions of mean zero, by the Karhunen–Loève series
/// u = Σ √2 σ (4π²|k|² + τ²)^(−α/2) (ξ cos 2πk·x + η sin 2πk·x) over half of the wave numbers k ≠ 0, with
/// independent standard normal ξ and η. The wave number of a grid's Nyquist frequency is left out: there the
/// grid has a cosine but no sine, so that a field that contained it would not be stationary.
///
/// The series is drawn shell by shell (|k|∞ = 1, 2, …) in an order that does not depend on the grid: the
/// same generator gives the same random function on every grid, up to the modes that a coarser one cannot
/// hold. A generator is at different positions after sampling different grids, so give each sample its own.
///
/// Reference: Lord, Powell, Shardlow, "An Introduction to Computational Stochastic PDEs", 2014, chapter 7.
public struct PeriodicGaussianField: Sendable {
  /// The number of points per axis.
  public let grid: Shape
  /// The factor σ² of the covariance is the square of this.
  public let sigma: Double
  /// The inverse correlation length.
  public let tau: Double
  /// The power: larger is smoother.
  public let alpha: Double

  private let modes: [FieldMode]

  /// A field on `grid` points, covariance σ² (−Δ + τ²)^(−α).
  ///
  /// The series converges for 2α > d only; the field of fewer modes exists for any α.
  public init(grid: Shape, sigma: Double, tau: Double, alpha: Double) {
    precondition(grid.count == 1 || grid.count == 2, "periodic fields have one or two axes, not \(grid)")
    precondition(grid.allSatisfy { $0 >= 4 }, "a periodic field needs 4 points per axis, not \(grid)")
    precondition(sigma >= 0 && tau >= 0 && alpha >= 0, "σ, τ and α are not negative")
    self.grid = grid
    self.sigma = sigma
    self.tau = tau
    self.alpha = alpha
    modes = Self.makeModes(grid: grid) { squaredIndex in
      sigma * pow(4 * Double.pi * Double.pi * squaredIndex + tau * tau, -alpha / 2)
    }
  }

  /// The initial conditions of the Burgers data: 625 (−d²/dx² + 25)^(−2), standard deviation 0.5936.
  ///
  /// The wave numbers are those of the unit interval, 2πk, although the equation lives on one of length 2π.
  /// Li et al., "Fourier neural operator", ICLR 2021; Kovachki et al., JMLR 2023, section 6.3.
  public static func burgers(grid: Int) -> PeriodicGaussianField {
    PeriodicGaussianField(grid: [grid], sigma: 25, tau: 5, alpha: 2)
  }

  /// The three variances that the Navier-Stokes prior has had; they differ by the factor of (−Δ + 49)^(−2.5).
  public enum NavierStokesNormalization: String, Sendable, CaseIterable, Codable {
    /// 2 · 7³, standard deviation 0.262: the generator of 2020, which made the published data.
    case code2020
    /// 7³, standard deviation 0.185: the port of that generator to PyTorch's complex numbers in 2022.
    case port2022
    /// 7^(3/2), standard deviation 0.043: the formula as printed in the paper.
    case paper

    /// The factor σ² of the covariance.
    public var variance: Double {
      switch self {
      case .code2020: 2 * 343
      case .port2022: 343
      case .paper: pow(7, 1.5)
      }
    }
  }

  /// The initial vorticity of the Navier-Stokes data on `grid`² points.
  public static func navierStokes(
    grid: Int, normalization: NavierStokesNormalization = .code2020
  ) -> PeriodicGaussianField {
    PeriodicGaussianField(
      grid: [grid, grid], sigma: normalization.variance.squareRoot(), tau: 7, alpha: 2.5)
  }

  /// The variance at any one point, of the modes that the grid holds.
  public var pointVariance: Double {
    modes.reduce(0) { $1.position < 0 ? $0 : $0 + 2 * $1.amplitude * $1.amplitude }
  }

  /// One term pair of the series: a wave number and how large its cosine and its sine are.
  public struct Mode: Sendable, Equatable {
    /// The wave number along each axis.
    public let wavenumber: [Int]
    /// The standard deviation √2 σ (4π²|k|² + τ²)^(−α/2) of the coefficients of cos 2πk·x and of sin 2πk·x.
    public let amplitude: Double
  }

  /// The modes that the grid holds, in the order of the coefficients of `synthesize`.
  public var heldModes: [Mode] {
    modes.lazy.filter { $0.position >= 0 }.map { mode in
      Mode(
        wavenumber: Self.wavenumber(at: mode.position, grid: grid),
        amplitude: 2.0.squareRoot() * mode.amplitude)
    }
  }

  /// The number of coefficients of a field on this grid: a cosine and a sine per mode.
  public var coefficientCount: Int { modes.reduce(0) { $1.position < 0 ? $0 : $0 + 2 } }

  /// One field of shape `grid`.
  public func sample(using random: inout Philox) -> Tensor<Double> {
    let drawn = random.normal(shape: [modes.count, 2])
    var coefficients: [Double] = []
    coefficients.reserveCapacity(drawn.count)
    drawn.withUnsafeBuffer { drawn in
      for (index, mode) in modes.enumerated() where mode.position >= 0 {
        coefficients.append(drawn[2 * index])
        coefficients.append(drawn[2 * index + 1])
      }
    }
    return Tensor(shape: grid) { field in synthesize(coefficients, into: field.baseAddress!) }
  }

  /// The field u = Σ a_k (ξ_k cos 2πk·x + η_k sin 2πk·x), a_k the amplitudes of `heldModes`.
  ///
  /// Independent standard normal coefficients give one draw of the field.
  ///
  /// - Parameters:
  ///   - coefficients: ξ and η of every mode in turn, `coefficientCount` numbers.
  ///   - field: the values on the grid.
  public func synthesize(
    _ coefficients: UnsafePointer<Double>, into field: UnsafeMutablePointer<Double>
  ) {
    let lastHalf = grid[grid.count - 1] / 2 + 1
    var spectrum = Tensor<Double>(shape: grid.dropLast() + [lastHalf, 2])
    let transform = FourierTransform<Double>(.complexToReal, shape: grid)
    spectrum.withUnsafeMutableBuffer { spectrum in
      var next = 0
      for mode in modes where mode.position >= 0 {
        // A cosine of amplitude √2 a is split between k and −k: each gets a/√2.
        let scale = mode.amplitude * 0.5.squareRoot()
        let real = scale * coefficients[next]
        let imaginary = -scale * coefficients[next + 1]
        next += 2
        spectrum[2 * mode.position] = real
        spectrum[2 * mode.position + 1] = imaginary
        if mode.mirror >= 0 {
          spectrum[2 * mode.mirror] = real
          spectrum[2 * mode.mirror + 1] = -imaginary
        }
      }
      transform(spectrum.baseAddress!, field)
    }
  }

  /// The adjoint of `synthesize`: Σ_x v(x) ∂u(x)/∂ξ_k and Σ_x v(x) ∂u(x)/∂η_k for every mode.
  ///
  /// - Parameters:
  ///   - field: v, aligned to 16 bytes, as the start of every tensor is.
  ///   - coefficients: the result, `coefficientCount` numbers.
  public func synthesizeAdjoint(
    _ field: UnsafePointer<Double>, into coefficients: UnsafeMutablePointer<Double>
  ) {
    let lastHalf = grid[grid.count - 1] / 2 + 1
    var spectrum = Tensor<Double>(shape: grid.dropLast() + [lastHalf, 2])
    let transform = FourierTransform<Double>(.realToComplex, shape: grid)
    spectrum.withUnsafeMutableBuffer { spectrum in
      // FFTW takes a mutable pointer but keeps the input of r2c.
      transform(UnsafeMutablePointer(mutating: field), spectrum.baseAddress!)
      var next = 0
      for mode in modes where mode.position >= 0 {
        let scale = 2.0.squareRoot() * mode.amplitude
        coefficients[next] = scale * spectrum[2 * mode.position]
        coefficients[next + 1] = -scale * spectrum[2 * mode.position + 1]
        next += 2
      }
    }
  }

  /// The coefficients of a field's part in the held modes, in the order of `synthesize`: its inverse.
  ///
  /// Those of a mode of amplitude zero are not finite.
  public func analyze(_ field: Tensor<Double>) -> [Double] {
    precondition(field.shape == grid, "field \(field.shape) is not on the grid \(grid)")
    var coefficients = [Double](repeating: 0, count: coefficientCount)
    withPointers(field) { synthesizeAdjoint($0, into: &coefficients) }
    // Cosines and sines are orthogonal on the grid, with squares that add up to half the number of points.
    for (index, mode) in heldModes.enumerated() {
      let scale = 2 / (mode.amplitude * mode.amplitude * Double(field.count))
      coefficients[2 * index] *= scale
      coefficients[2 * index + 1] *= scale
    }
    return coefficients
  }

  /// The wave number of a position in the half spectrum.
  private static func wavenumber(at position: Int, grid: Shape) -> [Int] {
    guard grid.count == 2 else { return [position] }
    let half = grid[1] / 2 + 1
    let row = position / half
    return [row < (grid[0] + 1) / 2 ? row : row - grid[0], position % half]
  }

  /// Half of the wave numbers, k and −k counting once, in the order in which they are drawn.
  private static func makeModes(grid: Shape, amplitude: (Double) -> Double) -> [FieldMode] {
    let largest = grid.map { ($0 - 1) / 2 }
    guard grid.count == 2 else {
      return (1...largest[0]).map {
        FieldMode(position: $0, mirror: -1, amplitude: amplitude(Double($0 * $0)))
      }
    }
    let half = grid[1] / 2 + 1
    func mode(_ k: Int, _ l: Int) -> FieldMode {
      let isHeld = abs(k) <= largest[0] && l <= largest[1]
      let row = k < 0 ? k + grid[0] : k
      let mirrorRow = k > 0 ? grid[0] - k : -k
      return FieldMode(
        position: isHeld ? row * half + l : -1, mirror: isHeld && l == 0 ? mirrorRow * half : -1,
        amplitude: isHeld ? amplitude(Double(k * k + l * l)) : 0)
    }
    var modes: [FieldMode] = []
    for shell in 1...max(largest[0], largest[1]) {
      modes.append(mode(shell, 0))
      for l in 1..<shell {
        modes.append(mode(shell, l))
        modes.append(mode(-shell, l))
      }
      for k in -shell...shell { modes.append(mode(k, shell)) }
    }
    return modes
  }
}

/// Gaussian random fields of mean zero on the unit square whose normal derivative vanishes on the boundary.
///
/// The covariance is σ² (−Δ + τ²)^(−α) with the zero-Neumann Laplacian, on functions of mean zero:
/// g = Σ σ (π²|k|² + τ²)^(−α/2) ξ φ_k over k ≠ 0, φ_k the cosines of unit L² norm. Drawn shell by shell as
/// `PeriodicGaussianField`, so that the same generator gives the same random function on every grid and for
/// both placements, up to the modes that a coarser grid cannot hold.
public struct NeumannGaussianField: Sendable {
  /// Where the points of the grid are.
  public enum Placement: String, Sendable, Codable {
    /// x_i = i / (n − 1), both ends included: the grid of the Darcy solver.
    case vertices
    /// x_i = (i + ½) / n.
    case centers
  }

  /// The number of points per axis.
  public let grid: Shape
  /// Where the points are.
  public let placement: Placement
  /// The factor σ² of the covariance is the square of this.
  public let sigma: Double
  /// The inverse correlation length.
  public let tau: Double
  /// The power: larger is smoother.
  public let alpha: Double

  private let modes: [FieldMode]
  /// Where the coefficients of the held modes go in a spectrum, and what they are multiplied by there.
  private let places: [Int32]
  private let factors: [Double]

  /// A field on `grid` points, covariance σ² (−Δ + τ²)^(−α).
  public init(
    grid: Shape, sigma: Double, tau: Double, alpha: Double, placement: Placement = .vertices
  ) {
    precondition(grid.count == 2, "Neumann fields have two axes, not \(grid)")
    precondition(grid.allSatisfy { $0 >= 2 }, "a field needs 2 points per axis, not \(grid)")
    precondition(sigma >= 0 && tau >= 0 && alpha >= 0, "σ, τ and α are not negative")
    self.grid = grid
    self.sigma = sigma
    self.tau = tau
    self.alpha = alpha
    self.placement = placement
    var modes: [FieldMode] = []
    func append(_ k: Int, _ l: Int) {
      let isHeld = k < grid[0] && l < grid[1]
      let squared = Double.pi * Double.pi * Double(k * k + l * l)
      let norm = (k == 0 ? 1 : 2.0.squareRoot()) * (l == 0 ? 1 : 2.0.squareRoot())
      modes.append(
        FieldMode(
          position: isHeld ? k * grid[1] + l : -1, mirror: -1,
          amplitude: isHeld ? sigma * norm * pow(squared + tau * tau, -alpha / 2) : 0))
    }
    for shell in 1..<max(grid[0], grid[1]) {
      for k in 0...shell { append(k, shell) }
      for l in 0..<shell { append(shell, l) }
    }
    self.modes = modes
    let held = modes.filter { $0.position >= 0 }
    places = held.map { Int32($0.position) }
    // FFTW's synthesis counts every cosine twice but the constant and, at vertices, the last one.
    func weight(_ k: Int, of count: Int) -> Double {
      k == 0 || (placement == .vertices && k == count - 1) ? 1 : 0.5
    }
    factors = held.map { mode in
      mode.amplitude * weight(mode.position / grid[1], of: grid[0])
        * weight(mode.position % grid[1], of: grid[1])
    }
  }

  /// The field whose sign decides the Darcy coefficient: (−Δ + 9)^(−2).
  public static func darcy(grid: Int, placement: Placement = .vertices) -> NeumannGaussianField {
    NeumannGaussianField(grid: [grid, grid], sigma: 1, tau: 3, alpha: 2, placement: placement)
  }

  /// The variance at the point (x, y), of the modes that the grid holds; it is largest in the corners.
  public func variance(x: Double, y: Double) -> Double { covariance((x, y), (x, y)) }

  /// The covariance of the values at two points, of the modes that the grid holds.
  public func covariance(_ p: (x: Double, y: Double), _ q: (x: Double, y: Double)) -> Double {
    modes.reduce(0) { sum, mode in
      guard mode.position >= 0 else { return sum }
      let k = Double.pi * Double(mode.position / grid[1])
      let l = Double.pi * Double(mode.position % grid[1])
      return sum + mode.amplitude * mode.amplitude * cos(k * p.x) * cos(l * p.y) * cos(k * q.x) * cos(l * q.y)
    }
  }

  /// The variance averaged over the square.
  public var pointVariance: Double {
    modes.reduce(0) { sum, mode in
      guard mode.position >= 0 else { return sum }
      let (k, l) = (mode.position / grid[1], mode.position % grid[1])
      return sum + mode.amplitude * mode.amplitude * (k == 0 ? 1 : 0.5) * (l == 0 ? 1 : 0.5)
    }
  }

  /// The modes that the grid holds, in the order of the coefficients of `synthesize`.
  ///
  /// The wave numbers count half periods: the mode (k, l) is cos πkx cos πly.
  public var heldModes: [PeriodicGaussianField.Mode] {
    modes.lazy.filter { $0.position >= 0 }.map { mode in
      PeriodicGaussianField.Mode(
        wavenumber: [mode.position / grid[1], mode.position % grid[1]], amplitude: mode.amplitude)
    }
  }

  /// The number of coefficients of a field on this grid: one per mode.
  public var coefficientCount: Int { places.count }

  /// The variance at every point of the grid, of the modes that it holds.
  public var variances: Tensor<Double> {
    let (rows, columns) = (grid[0], grid[1])
    func squares(_ count: Int) -> [[Double]] {
      (0..<count).map { point in
        let x =
          placement == .vertices ? Double(point) / Double(count - 1) : (Double(point) + 0.5) / Double(count)
        return (0..<count).map { pow(cos(Double.pi * Double($0) * x), 2) }
      }
    }
    var amplitudes = [[Double]](repeating: Array(repeating: 0, count: columns), count: rows)
    for mode in modes where mode.position >= 0 {
      amplitudes[mode.position / columns][mode.position % columns] = mode.amplitude * mode.amplitude
    }
    // Axis by axis: the sum over l first, then that over k.
    let (rowSquares, columnSquares) = (squares(rows), squares(columns))
    let sums = amplitudes.map { row in
      columnSquares.map { square in zip(row, square).reduce(0) { $0 + $1.0 * $1.1 } }
    }
    return Tensor(
      shape: grid,
      scalars: rowSquares.flatMap { square in
        (0..<columns).map { column in (0..<rows).reduce(0) { $0 + square[$1] * sums[$1][column] } }
      })
  }

  /// One field of shape `grid`.
  public func sample(using random: inout Philox) -> Tensor<Double> {
    var drawn = random.normal(shape: [modes.count])
    // Those of modes that the grid does not hold are left out.
    if places.count < modes.count {
      drawn.withUnsafeMutableBuffer { drawn in
        var next = 0
        for (index, mode) in modes.enumerated() where mode.position >= 0 {
          drawn[next] = drawn[index]
          next += 1
        }
      }
    }
    return Tensor(shape: grid) { field in
      withPointers(drawn) { synthesize($0, into: field.baseAddress!) }
    }
  }

  /// The field g = Σ a_k ξ_k cos πk₁x cos πk₂y, a_k the amplitudes of `heldModes`.
  ///
  /// Independent standard normal coefficients give one draw of the field.
  ///
  /// - Parameters:
  ///   - coefficients: ξ of every mode in turn, `coefficientCount` numbers.
  ///   - field: the values on the grid.
  public func synthesize(
    _ coefficients: UnsafePointer<Double>, into field: UnsafeMutablePointer<Double>
  ) {
    var spectrum = Tensor<Double>(shape: grid)
    spectrum.withUnsafeMutableBuffer { spectrum in
      for index in places.indices { spectrum[Int(places[index])] = factors[index] * coefficients[index] }
      switch placement {
      case .vertices: CosineTransform(shape: grid)(spectrum.baseAddress!, field)
      case .centers: FourierTransform<Double>(.cosineSynthesis, shape: grid)(spectrum.baseAddress!, field)
      }
    }
  }

  /// The adjoint of `synthesize`, for fields at the vertices: Σ_x v(x) ∂g(x)/∂ξ_k for every mode.
  ///
  /// - Parameters:
  ///   - field: v.
  ///   - coefficients: the result, `coefficientCount` numbers.
  public func synthesizeAdjoint(
    _ field: UnsafePointer<Double>, into coefficients: UnsafeMutablePointer<Double>
  ) {
    precondition(placement == .vertices, "the adjoint is for fields at the vertices")
    let (rows, columns) = (grid[0], grid[1])
    var values = Tensor<Double>(shape: grid)
    var spectrum = Tensor<Double>(shape: grid)
    let transform = CosineTransform(shape: grid)
    values.withUnsafeMutableBuffer { values in
      // FFTW counts every point twice but those on the boundary.
      for row in 0..<rows {
        let weight = row == 0 || row == rows - 1 ? 1 : 0.5
        for column in 0..<columns {
          let index = row * columns + column
          values[index] = field[index] * weight * (column == 0 || column == columns - 1 ? 1 : 0.5)
        }
      }
      spectrum.withUnsafeMutableBuffer { transform(values.baseAddress!, $0.baseAddress!) }
    }
    withPointers(spectrum) { spectrum in
      var next = 0
      for mode in modes where mode.position >= 0 {
        coefficients[next] = mode.amplitude * spectrum[mode.position]
        next += 1
      }
    }
  }
}

/// A field of two values, by the sign of a Gaussian random field: the coefficient of the Darcy data.
///
/// 12 where the field is not negative and 3 where it is, as in the published data (mean 7.48, standard
/// deviation 4.50); a script that came with them says 4, and is not what made them.
public struct ThresholdedField: Sendable {
  /// The field whose sign decides.
  public let field: NeumannGaussianField
  /// The value where the field is ≥ 0.
  public let upper: Double
  /// The value where the field is negative.
  public let lower: Double

  /// Two values by the sign of `field`.
  public init(_ field: NeumannGaussianField, upper: Double = 12, lower: Double = 3) {
    self.field = field
    self.upper = upper
    self.lower = lower
  }

  /// The coefficient of the Darcy data on the vertex grid of `grid`² points.
  public static func darcy(grid: Int) -> ThresholdedField { ThresholdedField(.darcy(grid: grid)) }

  /// One coefficient of shape `field.grid`.
  public func sample(using random: inout Philox) -> Tensor<Double> {
    var result = field.sample(using: &random)
    result.withUnsafeMutableBuffer { values in
      for index in values.indices { values[index] = values[index] >= 0 ? upper : lower }
    }
    return result
  }
}

/// One term of a series: where its coefficient goes (−1: not on this grid), and how large it is.
private struct FieldMode: Sendable {
  let position: Int
  let mirror: Int
  let amplitude: Double
}
