import Datasets
import Solvers
import Synchronization
import Tensors

/// Samples of a problem in time: an initial value from a periodic Gaussian random field, and the solution at
/// t = 0 and the recorded times.
struct EvolutionSource: SampleSource {
  private let problem: any EvolutionProblem
  private let initialValue: PeriodicGaussianField
  private let stride: Int
  private let seed: UInt64
  private let resolution: ResolutionRecord?
  /// Along how many directions the solution is differentiated.
  private var directions = 0

  private(set) var description: DatasetDescription

  /// Samples of `problem`, whose first recorded time is 0.
  ///
  /// - Parameters:
  ///   - name: the word that names the dataset.
  ///   - title: one line that says what it is.
  ///   - field: the name of the unknown.
  ///   - resolution: looks whether the grid resolves the frames, where the solver leaves that to others.
  init(
    _ problem: some EvolutionProblem, from initialValue: PeriodicGaussianField, name: String, title: String,
    field: String, stride: Int, seed: UInt64, resolution: ResolutionRecord? = nil
  ) {
    precondition(problem.times.first == 0, "the initial value is the first frame")
    self.problem = problem
    self.initialValue = initialValue
    self.stride = stride
    self.seed = seed
    self.resolution = resolution
    description = DatasetDescription(
      name: name, title: title, problem: problem, stride: stride, times: problem.times,
      fields: [.init(name: field, isTimeVarying: true)])
  }

  /// The same samples with derivatives along so many directions, draws of the law of the initial values; nil if
  /// the solver has no derivative.
  func withTangents(_ directions: Int) -> EvolutionSource? {
    guard problem is any TangentOperator else { return nil }
    var source = self
    source.directions = directions
    let field = description.fields[0].name
    source.description.fields += (1...directions).map {
      .init(name: DatasetDescription.tangentName(of: field, direction: $0), isTimeVarying: true)
    }
    for position in source.description.boundaryConditions.indices {
      source.description.boundaryConditions[position].fields = source.description.fields.map(\.name)
    }
    return source
  }

  /// The frames of one sample, `[time, ...grid]`, and those of its derivatives.
  func sample(_ index: Int) throws -> [Tensor<Double>] {
    var random = Philox(seed: seed, stream: .inputs, sample: index)
    let input = initialValue.sample(using: &random).reshaped(to: [1, 1] + initialValue.grid)
    let frames = try solve(problem, input, sample: index)
    resolution?.record(frames, times: problem.times, sample: index)
    let derivatives = try tangents(at: input, sample: index)
    let (shape, axes) = (frames.shape.dropFirst(), initialValue.grid.count)
    return (0..<1 + directions).map { field in
      let part = field == 0 ? frames : derivatives[first: field - 1..<field]
      return everyPoint(of: part.reshaped(to: shape), stride: stride, axes: axes)
    }
  }

  /// The derivatives of a solution along its directions: `[direction, time, ...grid]`.
  private func tangents(at input: Tensor<Double>, sample: Int) throws -> Tensor<Double> {
    guard directions > 0, let problem = problem as? any TangentOperator else { return Tensor(shape: [0]) }
    var random = Philox(seed: seed, stream: .directions, sample: sample)
    let drawn = (0..<directions).map { _ in initialValue.sample(using: &random) }
    let inputs = Tensor.concatenating(drawn.map { _ in input })
    return try namingSample(sample) {
      try problem.jacobianVectorProducts(
        inputs, Tensor.stacking(drawn).reshaped(to: inputs.shape)
      ).products
    }
  }
}

extension EvolutionSource {
  /// Whether samples were not resolved.
  var notices: [String] { resolution?.notice.map { [$0] } ?? [] }
}

/// Which samples the solver's grid did not resolve, by the share of the norm in the highest wave numbers.
final class ResolutionRecord: Sendable {
  private struct State {
    var samples = 0
    var unresolved = 0
    var worst = (tail: 0.0, sample: 0, time: 0.0)
  }

  private let grid: Int
  private let tail: @Sendable (Tensor<Double>) -> Double
  private let state = Mutex(State())

  /// A record of samples on `grid`² points.
  ///
  /// - Parameter tail: the share of one frame; measured to be about its error.
  init(grid: Int, tail: @escaping @Sendable (Tensor<Double>) -> Double) {
    self.grid = grid
    self.tail = tail
  }

  /// Looks at the frames `[1, time, ...grid]` of a sample; t = 0 is as rough as it is.
  func record(_ frames: Tensor<Double>, times: [Double], sample: Int) {
    let shape = frames.shape.dropFirst(2)
    let frames = frames.reshaped(to: frames.shape.dropFirst())
    var worst = (tail: 0.0, time: 0.0)
    for (frame, time) in times.enumerated() where time > 0 {
      let tail = tail(frames[first: frame..<frame + 1].reshaped(to: shape))
      if tail > worst.tail { worst = (tail, time) }
    }
    state.withLock { state in
      state.samples += 1
      guard worst.tail > VorticityBudget.largestResolvedTail else { return }
      state.unresolved += 1
      if worst.tail > state.worst.tail { state.worst = (worst.tail, sample, worst.time) }
    }
  }

  /// One line if there are any.
  var notice: String? {
    let state = state.withLock { $0 }
    guard state.unresolved > 0 else { return nil }
    let percent = Text.number(100 * state.worst.tail, digits: 2)
    return
      "\(state.unresolved) of \(state.samples) samples are not resolved on \(grid) x \(grid) points: errors of up to about "
      + "\(percent) % (sample \(state.worst.sample), t = \(Text.number(state.worst.time))); use grid: \(2 * grid)"
  }
}

extension DatasetDescription {
  /// The description of a problem whose fields are stored at every stride-th point.
  init(
    name: String, title: String, problem: some PhysicalProblem, stride: Int, times: [Double],
    fields: [FieldDescription]
  ) {
    self.init(
      name: name, title: title, equation: problem.equation,
      axes: problem.axes.map { axis in
        let kept = Swift.stride(from: 0, to: axis.coordinates.count, by: stride)
        return Axis(
          name: axis.name, coordinates: kept.map { axis.coordinates[$0] }, isPeriodic: axis.isPeriodic)
      },
      times: times, fields: fields,
      parameters: problem.parameters.map { Parameter(name: $0.name, value: $0.value) })
  }
}

/// Solves one sample, and names it by its number in the dataset if that fails: the solver saw a batch of one.
func solve(_ problem: some SolutionOperator, _ input: Tensor<Double>, sample: Int) throws -> Tensor<Double> {
  try namingSample(sample) { try problem(input) }
}

/// Names the sample by its number in the dataset if solving it alone fails.
func namingSample(_ sample: Int, _ solve: () throws -> Tensor<Double>) throws -> Tensor<Double> {
  do {
    return try solve()
  } catch SolverError.blowUp(_, let time, let advice) {
    throw SolverError.blowUp(sample: sample, time: time, advice: advice)
  } catch SolverError.underResolved(_, let time, let grid, let suggestion) {
    throw SolverError.underResolved(sample: sample, time: time, grid: grid, suggestion: suggestion)
  } catch SolverError.noConvergence(_, let iterations, let residual) {
    throw SolverError.noConvergence(
      sample: sample, iterations: iterations, relativeResidual: residual)
  }
}

/// Every stride-th point of a field along each of its last `axes` axes.
func everyPoint(of field: Tensor<Double>, stride: Int, axes: Int) -> Tensor<Double> {
  guard stride > 1 else { return field }
  let grid = field.shape.suffix(axes)
  let kept = grid.map { ($0 + stride - 1) / stride }
  let leading = field.shape.dropLast(axes)
  let rows = axes == 1 ? 1 : grid[0]
  let columns = grid[axes - 1]
  return Tensor(shape: leading + kept) { target in
    withPointers(field) { field in
      var position = 0
      for frame in 0..<leading.elementCount {
        for row in Swift.stride(from: 0, to: rows, by: stride) {
          let start = (frame * rows + row) * columns
          for column in Swift.stride(from: 0, to: columns, by: stride) {
            target[position] = field[start + column]
            position += 1
          }
        }
      }
    }
  }
}
