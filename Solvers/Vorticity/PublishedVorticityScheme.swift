import Tensors

/// The vorticity equation discretised as in the code that made the published data, step for step.
///
/// Differences from a Galerkin method, all deliberate here: the advection term is u w_x + v w_y at the points
/// of the grid; its spectrum, and nothing else, is cut off at |k|, |l| ≤ (2/3)(n/2), so velocity and vorticity
/// hold every wave number and their products are aliased; the Nyquist wave number is −n/2 and is differentiated like
/// any other; where |k|² is zero it counts as one, unscaled, which damps a mean at the rate ν.
///
/// State: ŵ_kl as numpy's `rfft2` orders it, divided by n²: `[n, n/2 + 1]`.
///
/// Reference: `data_generation/navier_stokes/ns_2d.py` of the Fourier neural operator's repository.
final class PublishedVorticityScheme: FieldSystem {
  let linearSymbol: [Complex]

  private let n: Int
  private let columns: Int
  private let factors: [Workspace]  // of ŵ: those of u, w_x, v, w_y
  private let fields: Workspace  // u, w_x, v, w_y on the grid
  private let differences: Workspace  // the same of a tangent or a cotangent
  private let mask: [Double]  // −1/n² for the wave numbers that the product keeps
  private let forcing: Workspace
  private var growthRate = 0.0
  private let spectrum: Workspace
  private let turned: Workspace
  private let product: Workspace
  private let columnsBackward: FourierTransform<Double>
  private let rowsBackward: FourierTransform<Double>
  private let forward: FourierTransform<Double>
  private var fastest = 0.0

  init(grid: Int, viscosity: Double, forcing values: Tensor<Double>?) {
    n = grid
    columns = grid / 2 + 1
    let modes = grid * columns
    var symbol: [Complex] = []
    var mask: [Double] = []
    var factors = [[Complex]](repeating: [], count: 4)
    for row in 0..<grid {
      let k = row < grid / 2 ? row : row - grid
      for column in 0..<columns {
        let l = column < grid / 2 ? column : column - grid
        let (x, y) = (2 * Double.pi * Double(k), 2 * Double.pi * Double(l))
        let laplacian = k == 0 && l == 0 ? 1 : x * x + y * y
        symbol.append(Complex(-viscosity * laplacian))
        mask.append(3 * max(abs(k), abs(l)) <= grid ? -1 / Double(grid * grid) : 0)
        for (index, factor) in [y / laplacian, x, -x / laplacian, y].enumerated() {
          factors[index].append(Complex(0, factor))
        }
      }
    }
    linearSymbol = symbol
    self.mask = mask
    self.factors = factors.map(interleaved)
    fields = Workspace(count: 4 * grid * grid)
    differences = Workspace(count: 4 * grid * grid)
    forcing = Workspace(count: 2 * modes)
    spectrum = Workspace(count: 2 * modes)
    turned = Workspace(count: 2 * modes)
    product = Workspace(count: grid * grid)
    columnsBackward = FourierTransform(.complexBackward, shape: [grid], batch: columns, interleaved: true)
    rowsBackward = FourierTransform(.complexToReal, shape: [grid], batch: grid)
    forward = FourierTransform(.realToComplex, shape: [grid, grid])
    guard let values else { return }
    values.withUnsafeBuffer { transform($0.baseAddress!, into: forcing.start) }
    growthRate = norm(forcing.start)
  }

  var pointCount: Int { n * n }

  /// The coefficients of the real field at `field`.
  func transform(_ field: UnsafePointer<Double>, into state: UnsafeMutablePointer<Double>) {
    product.start.update(from: field, count: n * n)
    forward(product.start, spectrum.start)
    for index in 0..<2 * n * columns { state[index] = spectrum.start[index] / Double(n * n) }
  }

  /// Writes the real field of `state` into `field`, `[n, n]`.
  func evaluate(_ state: UnsafeMutablePointer<Double>, into field: UnsafeMutablePointer<Double>) {
    columnsBackward(state, turned.start)
    rowsBackward(turned.start, product.start)
    field.update(from: product.start, count: n * n)
  }

  func evaluateNonlinearity(
    _ state: UnsafeMutablePointer<Double>, into term: UnsafeMutablePointer<Double>
  ) {
    findFields(state, fields.start)
    evaluateNonlinearity(at: fields.start, into: term)
  }

  /// From ŵ to u, w_x, v, w_y on the grid.
  private func findFields(_ state: UnsafePointer<Double>, _ fields: UnsafeMutablePointer<Double>) {
    for (index, factor) in factors.enumerated() {
      SolverKernels.multiply(modes: n * columns, factor: factor.start, state, spectrum.start)
      columnsBackward(spectrum.start, turned.start)
      // The last axis ignores imaginary parts that no real field has, as PyTorch and numpy do.
      rowsBackward(turned.start, fields + index * n * n)
    }
  }

  func stepBound(_ scheme: TimeScheme, timeScale: Double) -> Double {
    min(0.05, scheme.largestCourantNumber / (2 * .pi * Double(n / 3) * fastest))
  }

  func product(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>) -> Double {
    let once = (0..<n).reduce(0.0) { sum, row in
      [0, n / 2].reduce(sum) { sum, column in
        let at = 2 * (row * columns + column)
        return sum + a[at] * b[at] + a[at + 1] * b[at + 1]
      }
    }
    return 2 * Double.dot(2 * n * columns, a, b) - once
  }

  /// Not rigorous: aliasing may add to the norm, but not double it while the step is stable.
  func normBound(initial: Double, time: Double) -> Double { initial + growthRate * time }

  /// Nothing to check: an unresolved flow is a matter of accuracy, not of failure.
  func checkResolution(_ state: UnsafeMutablePointer<Double>, time: Double, sample: Int) throws {}

  // MARK: - Derivative

  /// u, w_x, v, w_y.
  var linearizationCount: Int { 4 * n * n }

  func linearize(_ state: UnsafeMutablePointer<Double>, into point: UnsafeMutablePointer<Double>) {
    findFields(state, point)
  }

  func evaluateNonlinearity(at point: UnsafePointer<Double>, into term: UnsafeMutablePointer<Double>) {
    let points = n * n
    fastest = SolverKernels.advectionProduct(
      points: points, u: point, slopeX: point + points, v: point + 2 * points, slopeY: point + 3 * points,
      product: product.start)
    forward(product.start, spectrum.start)
    for mode in 0..<n * columns {
      term[2 * mode] = forcing.start[2 * mode] + mask[mode] * spectrum.start[2 * mode]
      term[2 * mode + 1] = forcing.start[2 * mode + 1] + mask[mode] * spectrum.start[2 * mode + 1]
    }
  }

  func applyTangent(
    at point: UnsafePointer<Double>, to direction: UnsafeMutablePointer<Double>,
    into result: UnsafeMutablePointer<Double>
  ) {
    findFields(direction, differences.start)
    SolverKernels.advectionProductTangent(
      points: n * n, fields: point, direction: differences.start, product: product.start)
    forward(product.start, spectrum.start)
    for mode in 0..<n * columns {
      result[2 * mode] = mask[mode] * spectrum.start[2 * mode]
      result[2 * mode + 1] = mask[mode] * spectrum.start[2 * mode + 1]
    }
  }

  /// The factors of the tangent in reverse.
  func applyAdjoint(
    at point: UnsafePointer<Double>, to cotangent: UnsafeMutablePointer<Double>,
    into result: UnsafeMutablePointer<Double>
  ) {
    // The factors of ŵ are imaginary: their conjugates are their negatives, and the mask takes the sign.
    for mode in 0..<n * columns {
      spectrum.start[2 * mode] = -mask[mode] * cotangent[2 * mode]
      spectrum.start[2 * mode + 1] = -mask[mode] * cotangent[2 * mode + 1]
    }
    columnsBackward(spectrum.start, turned.start)
    rowsBackward(turned.start, product.start)
    SolverKernels.advectionProductAdjoint(
      points: n * n, fields: point, product.start, cotangent: differences.start)
    result.update(repeating: 0, count: 2 * n * columns)
    for (index, factor) in factors.enumerated() {
      forward(differences.start + index * n * n, spectrum.start)
      SolverKernels.multiplyAdd(modes: n * columns, factor: factor.start, spectrum.start, result)
    }
  }
}
