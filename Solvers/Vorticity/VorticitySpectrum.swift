import Tensors

/// The vorticity equation for Fourier coefficients ŵ_kl, |k| ≤ K along x, 0 ≤ l ≤ K along y.
///
/// The other half of the plane follows from symmetry. The advection term is computed as (∂xx − ∂yy)(uv) + ∂xy(v² − u²):
/// two real fields to transform there and two back, which travel as one complex field each way.
///
/// **Levels.** Coefficients are stored in nested squares: those of the coarsest level first, then what each finer
/// level adds. Where what a level adds vanishes, the next coarser one is as good, and its grid is
/// smaller: viscous flows need the full grid for an instant only. A level is left when what it and the next
/// one add is below `negligible` of the norm, and taken up again when the outermost part grows beyond that.
///
/// Reference: Basdevant, "Technical improvements for direct numerical simulation of homogeneous
/// three-dimensional turbulence", J. Comput. Phys. 1983 (fewer transforms for the advection term).
final class VorticitySpectrum: FieldSystem {
  let linearSymbol: [Complex]

  /// The first coefficients, and transforms between them and a grid that is fine enough for the products.
  ///
  /// A class: taken out of a list in every step.
  private final class Level {
    let points: Int
    let largest: Int
    /// How many coefficients there are.
    let modes: Int
    /// How many complex numbers a row of `pair` has: two half spectra, or one more.
    let pairRow: Int
    /// Where they go in a pair of half spectra: start, position, count of each run, row by row.
    let runs: [Int32]
    let columnsForward: BlockedTransform
    let columnsBackward: BlockedTransform
    let rowsForward: BlockedTransform
    let rowsBackward: BlockedTransform
    var columns: Int { largest + 1 }

    init(points: Int, largest: Int, modes: Int, _ pieces: [(k: Int, l: Int, start: Int, count: Int)]) {
      self.points = points
      self.largest = largest
      self.modes = modes
      let columns = max(1, largest + 1)
      let rows = max(1, points)
      let pairRow = FourierTransform<Double>.rowLength(holding: 2 * columns)
      self.pairRow = pairRow
      let placed = pieces.map {
        (start: $0.start, at: ($0.k < 0 ? $0.k + points : $0.k) * pairRow + $0.l, $0.count)
      }
      .sorted { $0.at < $1.at }
      runs = placed.flatMap { [Int32($0.start), Int32($0.at), Int32($0.2)] }
      columnsForward = .init(.complexForward, points: rows, batch: 2 * columns, row: pairRow)
      columnsBackward = .init(.complexBackward, points: rows, batch: 2 * columns, row: pairRow)
      rowsForward = .init(.complexForward, points: rows, batch: rows)
      rowsBackward = .init(.complexBackward, points: rows, batch: rows)
    }
  }

  private let n: Int
  private let negligible: Double
  private let levels: [Level]  // from the finest; the last one only says what the one before it adds
  private var level = 0
  private var deepest: Int  // the coarsest level that holds the forcing
  private let alongX: Workspace  // û = i alongX ŵ
  private let alongY: Workspace  // v̂ = i alongY ŵ
  private let ofProduct: Workspace  // multiplies the spectrum of uv
  private let ofDifference: Workspace  // multiplies that of v² − u²
  private let forcing: Workspace
  private let noForcing: Workspace  // zeros: what the derivative has in its place
  private var growthRate = 0.0  // ‖f‖, what the forcing may add to the norm per unit of time
  private let positions: [Int]  // of the coefficients in a half spectrum of the whole grid
  private let onAxis: [Int]  // the coefficients l = 0, both k and −k
  private let pair: Workspace  // [points, pairRow] complex: two half spectra of `columns`
  private let turned: Workspace  // the same with x as a place
  private let returned: Workspace  // the same of what comes back from the grid
  private var clearedLevel: Int?  // the level of which `pair` has zeros where nothing is held
  private let joined: Workspace  // [points, points] complex
  private let physical: Workspace  // [points, points] complex: u + i v
  private var speeds: [Double]  // the largest of every block of rows
  private let toGrid: FourierTransform<Double>
  private let fromGrid: FourierTransform<Double>
  private var fastest = 0.0

  /// The equation for the wave numbers up to `largest` of a grid of `grid`² points.
  ///
  /// With `dealiased`, products are free of aliasing on every level; without, they are taken on the grid.
  /// - Parameter negligible: the share of the norm that coarser levels may leave out.
  init(
    grid: Int, largest: Int, dealiased: Bool, viscosity: Double, forcing values: Tensor<Double>?,
    negligible: Double
  ) {
    n = grid
    self.negligible = negligible
    let sizes = dealiased ? Self.levelSizes(largest: largest) : [(grid, largest), (grid, -1)]
    var waves: [(k: Int, l: Int)] = []
    var pieces: [(k: Int, l: Int, start: Int, count: Int)] = []
    var levels: [Level] = []
    var inner = -1
    for (points, largest) in sizes.reversed() {
      for k in Array(0...max(0, largest)) + Array(-max(0, largest)..<0) {
        let first = abs(k) <= inner ? inner + 1 : 0
        guard first <= largest else { continue }
        pieces.append((k, first, waves.count, largest + 1 - first))
        waves += (first...largest).map { (k, $0) }
      }
      inner = largest
      levels.append(Level(points: points, largest: largest, modes: waves.count, pieces))
    }
    self.levels = levels.reversed()
    deepest = levels.count - 1
    let modes = waves.count
    alongX = Workspace(count: modes)
    alongY = Workspace(count: modes)
    ofProduct = Workspace(count: modes)
    ofDifference = Workspace(count: modes)
    var symbol: [Complex] = []
    for (mode, wave) in waves.enumerated() {
      let (x, y) = (2 * Double.pi * Double(wave.k), 2 * Double.pi * Double(wave.l))
      let laplacian = x * x + y * y
      symbol.append(Complex(-viscosity * laplacian))
      guard laplacian > 0 else { continue }
      alongX.start[mode] = y / laplacian  // u = ψ_y
      alongY.start[mode] = -x / laplacian  // v = −ψ_x
      // −u·∇w = −(∂xx − ∂yy)(uv) − ∂xy(v² − u²)
      ofProduct.start[mode] = x * x - y * y
      ofDifference.start[mode] = x * y
    }
    linearSymbol = symbol
    positions = waves.map { ($0.k < 0 ? $0.k + grid : $0.k) * (grid / 2 + 1) + $0.l }
    onAxis = waves.indices.filter { waves[$0].l == 0 }
    forcing = Workspace(count: 2 * modes)
    noForcing = Workspace(count: 2 * modes)
    let points = sizes[0].0
    // The finest level needs most: what a longer row of a coarser one takes is less than its fewer rows save.
    pair = Workspace(count: 2 * points * self.levels[0].pairRow)
    turned = Workspace(count: pair.count)
    returned = Workspace(count: pair.count)
    speeds = [Double](repeating: 0, count: self.levels.map(\.rowsForward.blocks).max() ?? 0)
    joined = Workspace(count: 2 * max(points * points, grid * (grid / 2 + 1)))
    physical = Workspace(count: 2 * max(points * points, grid * grid / 2))
    toGrid = FourierTransform(.complexToReal, shape: [grid, grid])
    fromGrid = FourierTransform(.realToComplex, shape: [grid, grid])
    guard let values else { return }
    values.withUnsafeBuffer { transform($0.baseAddress!, into: forcing.start) }
    growthRate = norm(forcing.start)
    deepest = self.levels.indices.last {
      power(forcing.start, from: self.levels[$0].modes, to: modes) <= square(negligible * growthRate)
    }!
  }

  /// The grids of all levels with the largest wave numbers that they hold, from the finest.
  ///
  /// Products of two fields of K wave numbers need 3K + 1 points. Each level is smaller by a fifth at least. Only numbers
  /// of points are taken for which FFTW's estimated plans are good: 200 x 200 points take less time than 192 x 192, 320 x 320
  /// less than 300 x 300.
  private static func levelSizes(largest: Int) -> [(points: Int, largest: Int)] {
    func isGood(_ count: Int) -> Bool {
      let odd = count >> count.trailingZeroBitCount
      return count.isMultiple(of: 4) && ([1, 5, 25].contains(odd) || odd == 3 && count <= 96)
    }
    var sizes = [(points: ((3 * largest + 1)...).first(where: isGood)!, largest: largest)]
    while sizes.last!.points > 12, let points = (8...sizes.last!.points * 4 / 5).last(where: isGood) {
      sizes.append((points, (points - 1) / 3))
    }
    return sizes + [(0, -1)]
  }

  // MARK: - Fields

  var pointCount: Int { n * n }

  /// The coefficients of the real field at `field`, truncated and without the mean.
  func transform(_ field: UnsafePointer<Double>, into state: UnsafeMutablePointer<Double>) {
    level = 0
    physical.start.update(from: field, count: n * n)
    fromGrid(physical.start, joined.start)
    let scale = 1 / Double(n * n)
    for (mode, position) in positions.enumerated() {
      state[2 * mode] = position == 0 ? 0 : scale * joined.start[2 * position]
      state[2 * mode + 1] = position == 0 ? 0 : scale * joined.start[2 * position + 1]
    }
  }

  /// Writes the real field of `state` into `field`, `[n, n]`.
  func evaluate(_ state: UnsafeMutablePointer<Double>, into field: UnsafeMutablePointer<Double>) {
    joined.start.update(repeating: 0, count: n * (n + 2))
    for (mode, position) in positions.enumerated() {
      joined.start[2 * position] = state[2 * mode]
      joined.start[2 * position + 1] = state[2 * mode + 1]
    }
    toGrid(joined.start, physical.start)
    field.update(from: physical.start, count: n * n)
  }

  // MARK: - SpectralSystem

  var activeModes: Int { levels[level].modes }

  func evaluateNonlinearity(
    _ state: UnsafeMutablePointer<Double>, into term: UnsafeMutablePointer<Double>
  ) {
    findVelocitySpectra(state)
    findSpeeds { speeds in
      overRows(toGrid: true, fromGrid: true) { block, points, z in
        speeds[block] = SolverKernels.velocityProducts(points: points.count, z)
      }
    }
    findTendency(forcing, term)
  }

  private var squaredPoints: Int { levels[level].points * levels[level].points }

  /// From the coefficients of a vorticity to those of its velocity with x as a place, in `turned`.
  private func findVelocitySpectra(_ vorticity: UnsafePointer<Double>) {
    let grid = levels[level]
    clearUnusedRows()
    shareRuns(grid) { runs in
      SolverKernels.velocitySpectra(
        runs: runs, columns: grid.columns, alongX: alongX.start, alongY: alongY.start,
        vorticity: vorticity, pair: pair.start)
    }
    grid.columnsBackward(pair.start, turned.start)
  }

  /// From the spectra of the products uv + i (v² − u²) in `turned` to the coefficients of their derivatives and a forcing.
  private func findTendency(_ forcing: Workspace, _ term: UnsafeMutablePointer<Double>) {
    let grid = levels[level]
    grid.columnsForward(turned.start, returned.start)
    shareRuns(grid) { runs in
      SolverKernels.vorticityTendency(
        runs: runs, columns: grid.columns, scale: scale, p: ofProduct.start, q: ofDifference.start,
        forcing: forcing.start, pair: returned.start, tendency: term)
    }
  }

  /// FFTW does not normalise.
  private var scale: Double { 1 / Double(squaredPoints) }

  /// Zeros where `pair` has wave numbers that the level does not hold; they stay until the level changes.
  private func clearUnusedRows() {
    guard clearedLevel != level else { return }
    let grid = levels[level]
    let unused = grid.points - 2 * grid.largest - 1
    (pair.start + 2 * grid.pairRow * grid.columns).update(repeating: 0, count: 2 * grid.pairRow * unused)
    clearedLevel = level
  }

  /// Calls `body` with all runs of a level, part by part, on several threads.
  private func shareRuns(_ grid: Level, _ body: (ArraySlice<Int32>) -> Void) {
    let runs = grid.runs.count / 3
    parallelFor(runs, grain: max(1, 2048 / grid.columns)) { range in
      body(grid.runs[3 * range.lowerBound..<3 * range.upperBound])
    }
  }

  /// Between two half spectra in `turned` and complex rows of the grid, whose real and imaginary parts are the two fields:
  /// `body` gets the number of a block of rows, its points and room for their values.
  ///
  /// With `toGrid` these are there before, with `fromGrid` the half spectra are found of what is there afterwards: the
  /// reverse and, as it drops what a level does not hold, the adjoint. A block stays in the cache all the time.
  private func overRows(
    toGrid: Bool, fromGrid: Bool,
    _ body: (_ block: Int, _ points: Range<Int>, _ values: UnsafeMutablePointer<Double>) -> Void
  ) {
    let grid = levels[level]
    let (length, columns, pairRow) = (grid.points, grid.columns, grid.pairRow)
    parallelFor(grid.rowsForward.blocks) { range in
      // All blocks of a thread use the place of the first one.
      let place = grid.rowsForward.inputOffset(of: range.lowerBound)
      let (joined, values) = (joined.start + place, physical.start + place)
      for block in range {
        let rows = grid.rowsForward.arrays(of: block)
        let pair = turned.start + 2 * pairRow * rows.lowerBound
        if toGrid {
          SolverKernels.joinHalfSpectra(
            rows: rows.count, length: length, columns: columns, pair: pair, pairRow: pairRow, joined: joined)
          grid.rowsBackward.transform(block: block, joined, into: values)
        }
        body(block, rows.lowerBound * length..<rows.upperBound * length, values)
        if fromGrid {
          grid.rowsForward.transform(block: block, values, into: joined)
          SolverKernels.splitHalfSpectra(
            rows: rows.count, length: length, columns: columns, joined: joined, pair: pair, pairRow: pairRow)
        }
      }
    }
  }

  /// `body` writes the largest speed of every block of rows; the largest of all is remembered.
  private func findSpeeds(_ body: (UnsafeMutablePointer<Double>) -> Void) {
    speeds.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
    fastest = largest(of: speeds.prefix(levels[level].rowsForward.blocks))
  }

  func stepBound(_ scheme: TimeScheme, timeScale: Double) -> Double {
    let stable = scheme.largestCourantNumber / (2 * .pi * Double(levels[level].largest) * fastest)
    return scheme == .etdrk4 ? stable : min(0.05, stable)
  }

  func product(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>) -> Double {
    let once = onAxis.prefix { $0 < activeModes }.reduce(0.0) { sum, mode in
      sum + a[2 * mode] * b[2 * mode] + a[2 * mode + 1] * b[2 * mode + 1]
    }
    return 2 * Double.dot(2 * activeModes, a, b) - once
  }

  func normBound(initial: Double, time: Double) -> Double { initial + growthRate * time }

  /// Nothing to check: an unresolved flow is a matter of accuracy, not of failure.
  func checkResolution(_ state: UnsafeMutablePointer<Double>, time: Double, sample: Int) throws {}

  func adaptResolution(_ state: UnsafePointer<Double>) -> Bool {
    let active = levels[level].modes
    let bound = square(negligible) * power(state, from: 0, to: active)
    if level < deepest, level + 2 < levels.count,
      power(state, from: levels[level + 2].modes, to: active) <= bound
    {
      level += 1
      return true
    }
    if level > 0, power(state, from: levels[level + 1].modes, to: active) > bound {
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

  /// The velocity on the finest grid, complex.
  var linearizationCount: Int { 2 * levels[0].points * levels[0].points }

  func linearize(_ state: UnsafeMutablePointer<Double>, into point: UnsafeMutablePointer<Double>) {
    findVelocitySpectra(state)
    overRows(toGrid: true, fromGrid: false) { _, points, z in
      (point + 2 * points.lowerBound).update(from: z, count: 2 * points.count)
    }
  }

  func evaluateNonlinearity(at point: UnsafePointer<Double>, into term: UnsafeMutablePointer<Double>) {
    findSpeeds { speeds in
      overRows(toGrid: false, fromGrid: true) { block, points, z in
        z.update(from: point + 2 * points.lowerBound, count: 2 * points.count)
        speeds[block] = SolverKernels.velocityProducts(points: points.count, z)
      }
    }
    findTendency(forcing, term)
  }

  func applyTangent(
    at point: UnsafePointer<Double>, to direction: UnsafeMutablePointer<Double>,
    into result: UnsafeMutablePointer<Double>
  ) {
    findVelocitySpectra(direction)
    overRows(toGrid: true, fromGrid: true) { _, points, dz in
      SolverKernels.velocityProductsTangent(points: points.count, at: point + 2 * points.lowerBound, dz)
    }
    findTendency(noForcing, result)
  }

  /// The factors of the tangent in reverse.
  func applyAdjoint(
    at point: UnsafePointer<Double>, to cotangent: UnsafeMutablePointer<Double>,
    into result: UnsafeMutablePointer<Double>
  ) {
    let grid = levels[level]
    clearUnusedRows()
    shareRuns(grid) { runs in
      SolverKernels.vorticityTendencyAdjoint(
        runs: runs, columns: grid.columns, scale: scale, p: ofProduct.start, q: ofDifference.start,
        tendency: cotangent, pair: pair.start)
    }
    grid.columnsBackward(pair.start, turned.start)
    overRows(toGrid: true, fromGrid: true) { _, points, gz in
      SolverKernels.velocityProductsAdjoint(points: points.count, at: point + 2 * points.lowerBound, gz)
    }
    grid.columnsForward(turned.start, returned.start)
    shareRuns(grid) { runs in
      SolverKernels.velocitySpectraAdjoint(
        runs: runs, columns: grid.columns, alongX: alongX.start, alongY: alongY.start, pair: returned.start,
        vorticity: result)
    }
  }

  /// Σ |ŵ|² over a range of coefficients.
  private func power(_ state: UnsafePointer<Double>, from start: Int, to end: Int) -> Double {
    Double.dot(2 * (end - start), state + 2 * start, state + 2 * start)
  }

  private func square(_ x: Double) -> Double { x * x }
}
