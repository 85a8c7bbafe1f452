import Foundation
import Tensors

/// The Fourier coefficients of a real periodic field, and the terms of a `SemilinearEquation` for them.
///
/// With K the largest wave number kept: û_k for 0 ≤ k ≤ K in one dimension; in two, `[n, columns]` coefficients
/// û_kl, rows in FFT order, 0 ≤ l ≤ K, where the rows |k| > K and a last column that makes the transforms faster stay
/// zero. The others follow from symmetry.
final class PeriodicSpectrum: FieldSystem {
  let linearSymbol: [Complex]

  /// Transforms between all or the first few coefficients and a grid that is fine enough for the products.
  ///
  /// A class: taken out of a list in every step.
  private final class Level {
    let points: Int
    let largest: Int
    let forward: BlockedTransform
    let backward: BlockedTransform
    /// The polynomial, divided by the number of points because FFTW does not normalise.
    let polynomial: [Double]

    init(points: Int, rows: Int, fields: Double, polynomial: [Double]) {
      self.points = points
      let degree = polynomial.count - 1
      largest = degree < 2 ? points / 2 - 1 : (points - 1) / (degree + 1)
      forward = BlockedTransform(.realToComplex, points: points, batch: rows)
      backward = BlockedTransform(.complexToReal, points: points, batch: rows)
      self.polynomial = polynomial.map { $0 / (Double(points) * fields) }
    }
  }

  private let equation: any SemilinearEquation
  private let n: Int
  private let columns: Int
  private let isFlat: Bool  // one dimension
  private let levels: [Level]
  private var level = 0
  private let nonlinearSymbol: Workspace  // zero where a coefficient is not kept
  private let adjointSymbol: Workspace  // its conjugate
  private let strengths: [Double]  // |nonlinearSymbol|
  private let isHeld: [Bool]
  private let values: Workspace  // the field on the grid
  private let spectrum: Workspace  // its half spectrum
  private let turned: Workspace  // two dimensions: [n, columns] before or after the transforms along x
  private let weighted: Workspace  // a cotangent times the adjoint symbol
  private let product: Workspace  // two dimensions: [n, columns], the spectrum of the polynomial
  private let columnsForward: BlockedTransform?
  private let columnsBackward: BlockedTransform?
  private var largestDerivatives: [Double]  // of the polynomial in every block of rows
  private let tail: [Int]  // the modes that show whether the grid resolves the field
  private let tailRate: Double  // the slowest decay among them
  private var initialTail = 0.0
  private var initialAmplitude = 0.0
  private var steepest = 0.0  // the largest derivative of the polynomial at the last state

  init(_ equation: some SemilinearEquation) {
    self.equation = equation
    n = equation.grid
    let (n, degree) = (n, equation.polynomial.count - 1)
    isFlat = equation.dimensions == 1
    let largest = degree < 2 ? n / 2 - 1 : (n - 1) / (degree + 1)
    columns = isFlat ? largest + 1 : FourierTransform<Double>.rowLength(holding: largest + 1)
    let rows = isFlat ? 1 : n
    let fields = isFlat ? 1.0 : Double(n)
    var (linear, nonlinear, held, tail) = ([Complex](), [Complex](), [Bool](), [Int]())
    let unit = 2 * Double.pi / equation.length
    for row in 0..<rows {
      let k = row < n / 2 ? row : row - n
      for l in 0..<columns {
        let isKept = abs(k) <= largest && l <= largest
        let wave =
          isFlat ? WaveVector(x: unit * Double(l)) : WaveVector(x: unit * Double(k), y: unit * Double(l))
        held.append(isKept)
        linear.append(isKept ? equation.linearSymbol(wave) : Complex(0))
        nonlinear.append(isKept && degree >= 0 ? equation.nonlinearSymbol(wave) : Complex(0))
        if isKept, 8 * max(abs(k), l) >= 7 * largest { tail.append(row * columns + l) }
      }
    }
    linearSymbol = linear
    nonlinearSymbol = interleaved(nonlinear)
    adjointSymbol = interleaved(nonlinear.map { Complex($0.real, -$0.imaginary) })
    strengths = nonlinear.map(\.magnitude)
    isHeld = held
    self.tail = tail
    tailRate = tail.map { linear[$0].real }.max() ?? 0
    var levels: [Level] = []
    var points = n
    repeat {
      levels.append(Level(points: points, rows: rows, fields: fields, polynomial: equation.polynomial))
      points /= 2
    } while isFlat && degree >= 0 && points >= 32 && points.isMultiple(of: 2)
    self.levels = levels
    largestDerivatives = [Double](repeating: 0, count: levels[0].forward.blocks)
    values = Workspace(count: n * rows)
    spectrum = Workspace(count: (n + 2) * rows)
    turned = Workspace(count: isFlat ? 0 : 2 * n * columns)
    product = Workspace(count: turned.count)
    weighted = Workspace(count: 2 * linear.count)
    let makeColumns = { [columns] (kind: FourierTransformKind) in
      BlockedTransform(kind, points: n, batch: columns, row: columns)
    }
    columnsForward = isFlat ? nil : makeColumns(.complexForward)
    columnsBackward = isFlat ? nil : makeColumns(.complexBackward)
  }

  var activeModes: Int { isFlat ? levels[level].largest + 1 : linearSymbol.count }

  // MARK: - Fields

  var pointCount: Int { values.count }

  /// The coefficients of the values at `field`, truncated.
  func transform(_ field: UnsafePointer<Double>, into state: UnsafeMutablePointer<Double>) {
    level = 0
    initialAmplitude = SolverKernels.largestMagnitude(values.count, field)
    let coefficients = fromGrid { _, points, values in
      values.update(from: field + points.lowerBound, count: points.count)
    }
    let scale = 1 / Double(values.count)
    for mode in linearSymbol.indices {
      state[2 * mode] = isHeld[mode] ? scale * coefficients[2 * mode] : 0
      state[2 * mode + 1] = isHeld[mode] ? scale * coefficients[2 * mode + 1] : 0
    }
    initialTail = tailPower(state)
  }

  /// Writes the real field of `state` into `field`.
  func evaluate(_ state: UnsafeMutablePointer<Double>, into field: UnsafeMutablePointer<Double>) {
    let current = level
    level = 0
    toGrid(state, into: field)
    level = current
  }

  /// What is done with a block of rows on the grid: the number of the block, its points, and their values.
  private typealias RowWork = (
    _ block: Int, _ points: Range<Int>, _ values: UnsafeMutablePointer<Double>
  ) -> Void

  /// The values of the active coefficients on the grid.
  private func toGrid(_ state: UnsafeMutablePointer<Double>, into field: UnsafeMutablePointer<Double>) {
    overRows(from: state, transformsBack: false) { _, points, values in
      (field + points.lowerBound).update(from: values, count: points.count)
    }
  }

  /// The active coefficients of the values that `work` makes of those of `state`, or from nothing.
  ///
  /// They are not normalised, and stay until the next transform.
  private func fromGrid(
    _ state: UnsafeMutablePointer<Double>? = nil, _ work: RowWork
  ) -> UnsafePointer<Double> {
    overRows(from: state, transformsBack: true, work)
    guard let columnsForward else { return UnsafePointer(spectrum.start) }
    columnsForward(turned.start, product.start)
    return UnsafePointer(product.start)
  }

  /// A block of rows stays in the cache from its half spectra, if there is a state, to those of what `work` makes of it, if
  /// they are wanted; these replace the former.
  private func overRows(
    from state: UnsafeMutablePointer<Double>?, transformsBack: Bool, _ work: RowWork
  ) {
    let grid = levels[level]
    let (width, half) = (2 * (grid.largest + 1), 2 * (grid.points / 2 + 1))
    var source = state.map { UnsafePointer($0) }
    if let columnsBackward, let state {
      columnsBackward(state, turned.start)
      source = UnsafePointer(turned.start)
    }
    parallelFor(grid.forward.blocks) { range in
      // All blocks of a thread use the place of the first one.
      let values = values.start + grid.forward.inputOffset(of: range.lowerBound)
      let spectrum = spectrum.start + grid.forward.outputOffset(of: range.lowerBound)
      for block in range {
        let rows = grid.forward.arrays(of: block)
        if let source {
          for (index, row) in rows.enumerated() {
            let target = spectrum + index * half
            target.update(from: source + row * 2 * columns, count: width)
            (target + width).update(repeating: 0, count: half - width)
          }
          grid.backward.transform(block: block, spectrum, into: values)
        }
        work(block, rows.lowerBound * grid.points..<rows.upperBound * grid.points, values)
        guard transformsBack else { continue }
        grid.forward.transform(block: block, values, into: spectrum)
        guard !isFlat else { continue }
        for (index, row) in rows.enumerated() {
          (turned.start + row * 2 * columns).update(from: spectrum + index * half, count: 2 * columns)
        }
      }
    }
  }

  // MARK: - SpectralSystem

  func evaluateNonlinearity(
    _ state: UnsafeMutablePointer<Double>, into term: UnsafeMutablePointer<Double>
  ) {
    let grid = levels[level]
    guard !grid.polynomial.isEmpty else {
      term.update(repeating: 0, count: 2 * linearSymbol.count)
      return
    }
    evaluateTerm(state, into: term) { _, _ in }
  }

  /// From a state, or what `load` writes for some points, to the coefficients of N.
  private func evaluateTerm(
    _ state: UnsafeMutablePointer<Double>?, into term: UnsafeMutablePointer<Double>,
    load: (_ points: Range<Int>, _ values: UnsafeMutablePointer<Double>) -> Void
  ) {
    let grid = levels[level]
    let coefficients = largestDerivatives.withUnsafeMutableBufferPointer { derivatives in
      nonisolated(unsafe) let derivatives = derivatives
      return fromGrid(state) { block, points, values in
        load(points, values)
        derivatives[block] = SolverKernels.polynomial(points.count, grid.polynomial, values)
      }
    }
    steepest = Double(points) * largest(of: largestDerivatives.prefix(grid.forward.blocks))
    SolverKernels.multiply(modes: activeModes, factor: nonlinearSymbol.start, coefficients, term)
  }

  /// How many points evaluate N at present.
  private var points: Int { isFlat ? levels[level].points : values.count }

  func stepBound(_ scheme: TimeScheme, timeScale: Double) -> Double {
    let fastest = (0..<activeModes).reduce(0.0) { fastest, mode in
      let rate = strengths[mode] * steepest
      return rate > fastest && rate > -0.5 * linearSymbol[mode].real ? rate : fastest
    }
    let stable = fastest > 0 ? scheme.largestCourantNumber / fastest : .infinity
    return scheme == .etdrk4 ? stable : min(stable, 0.002 * timeScale)
  }

  func product(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>) -> Double {
    let width = 2 * columns
    let once = (0..<(isFlat ? 1 : n)).reduce(0.0) { sum, row in
      sum + a[row * width] * b[row * width] + a[row * width + 1] * b[row * width + 1]
    }
    return 2 * Double.dot(2 * activeModes, a, b) - once
  }

  func normBound(initial: Double, time: Double) -> Double {
    equation.normBound(initial: initial, time: time)
  }

  // MARK: - Resolution

  /// Σ |û|² over the highest eighth of the wave numbers.
  private func tailPower(_ state: UnsafePointer<Double>) -> Double {
    tail.reduce(0) { sum, mode in
      sum + state[2 * mode] * state[2 * mode] + state[2 * mode + 1] * state[2 * mode + 1]
    }
  }

  /// The highest eighth of the wave numbers must carry less than a thousandth of the fluctuation's norm, or no
  /// more than L leaves of what it carried at the start: rough data are smoothed, fronts sharpen.
  func checkResolution(_ state: UnsafeMutablePointer<Double>, time: Double, sample: Int) throws {
    guard level == 0, !levels[0].polynomial.isEmpty else { return }
    let mean = state[0] * state[0]
    let all = Double.dot(2 * linearSymbol.count, state, state) - mean
    let allowed = max(1e-6 * all, initialTail * exp(2 * tailRate * time), 1e-24 * mean)
    guard tailPower(state) > allowed else { return }
    let field = Workspace(count: values.count)
    toGrid(state, into: field.start)
    let amplitude = max(initialAmplitude, SolverKernels.largestMagnitude(field.count, field.start))
    // A multiple of the grid, so that the points asked for can be picked from it.
    let needed = max(2, (equation.resolvingGrid(amplitude: amplitude) ?? 0) / Double(n))
    throw SolverError.underResolved(
      sample: sample, time: time, grid: n, suggestion: n * smoothNumber(atLeast: needed))
  }

  func adaptResolution(_ state: UnsafePointer<Double>) -> Bool {
    guard levels.count > 1 else { return false }
    let modes = activeModes
    let size = Double.dot(2 * modes, state, state).squareRoot()
    func largest(from start: Int) -> Double {
      SolverKernels.largestMagnitude(2 * (modes - start), state + 2 * start)
    }
    if level + 1 < levels.count {
      let fewer = levels[level + 1].largest + 1
      if largest(from: fewer * 3 / 4) < 1e-14 * size {
        level += 1
        return true
      }
    }
    if level > 0, largest(from: modes * 7 / 8) > 1e-12 * size {
      level -= 1
      return true
    }
    return false
  }

  // MARK: - Derivative

  /// The level.
  var resolution: Int {
    get { level }
    set { level = newValue }
  }

  /// The values on the grid.
  var linearizationCount: Int { values.count }

  func linearize(_ state: UnsafeMutablePointer<Double>, into point: UnsafeMutablePointer<Double>) {
    toGrid(state, into: point)
  }

  func evaluateNonlinearity(at point: UnsafePointer<Double>, into term: UnsafeMutablePointer<Double>) {
    guard !levels[level].polynomial.isEmpty else {
      term.update(repeating: 0, count: 2 * linearSymbol.count)
      return
    }
    evaluateTerm(nil, into: term) { points, values in
      values.update(from: point + points.lowerBound, count: points.count)
    }
  }

  func applyTangent(
    at point: UnsafePointer<Double>, to direction: UnsafeMutablePointer<Double>,
    into result: UnsafeMutablePointer<Double>
  ) {
    guard !levels[level].polynomial.isEmpty else {
      result.update(repeating: 0, count: 2 * linearSymbol.count)
      return
    }
    let coefficients = applyDerivative(at: point, to: direction)
    SolverKernels.multiply(modes: activeModes, factor: nonlinearSymbol.start, coefficients, result)
  }

  /// The factors of the tangent in reverse.
  func applyAdjoint(
    at point: UnsafePointer<Double>, to cotangent: UnsafeMutablePointer<Double>,
    into result: UnsafeMutablePointer<Double>
  ) {
    guard !levels[level].polynomial.isEmpty else {
      result.update(repeating: 0, count: 2 * linearSymbol.count)
      return
    }
    SolverKernels.multiply(modes: activeModes, factor: adjointSymbol.start, cotangent, weighted.start)
    result.update(from: applyDerivative(at: point, to: weighted.start), count: 2 * activeModes)
    if !isFlat { clearUnheld(result) }
  }

  /// The coefficients of p′(u) d, given u at the points and the coefficients of d.
  private func applyDerivative(
    at point: UnsafePointer<Double>, to direction: UnsafeMutablePointer<Double>
  ) -> UnsafePointer<Double> {
    let polynomial = levels[level].polynomial
    return fromGrid(direction) { _, points, values in
      SolverKernels.polynomialDerivative(points.count, polynomial, at: point + points.lowerBound, values)
    }
  }

  /// Zeros where a coefficient is not kept: the transform from the grid finds some there.
  private func clearUnheld(_ state: UnsafeMutablePointer<Double>) {
    for mode in isHeld.indices where !isHeld[mode] { (state[2 * mode], state[2 * mode + 1]) = (0, 0) }
  }
}
