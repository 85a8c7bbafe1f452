import Datasets
import Solvers
import Tensors

extension GenerateConfig {
  /// The samples that this configuration describes.
  ///
  /// - Throws: `SolverError.invalidProblem` for settings that the solver refuses.
  public func makeSource() throws -> any SampleSource {
    switch equation {
    case .burgers(let viscosity, let times):
      try BurgersSource(self, viscosity: viscosity, times: times)
    case .darcy(let above, let below, let source):
      try DarcySource(self, above: above, below: below, source: source)
    case .navierStokes(let viscosity, let forcing, let times):
      try NavierStokesSource(self, viscosity: viscosity, forcing: forcing, times: times)
    }
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
  do {
    return try problem(input)
  } catch SolverError.blowUp(_, let time, let advice) {
    throw SolverError.blowUp(sample: sample, time: time, advice: advice)
  } catch SolverError.noConvergence(_, let iterations, let residual) {
    throw SolverError.noConvergence(
      sample: sample, iterations: iterations, relativeResidual: residual)
  }
}

/// Every stride-th point of a field along each of its last `axes` axes.
func everyPoint(of field: Tensor<Double>, stride: Int, axes: Int) -> Tensor<Double> {
  guard stride > 1 else { return field }
  let grid = Array(field.shape.suffix(axes))
  let kept = grid.map { ($0 + stride - 1) / stride }
  let leading = Array(field.shape.dropLast(axes))
  let rows = axes == 1 ? 1 : grid[0]
  let columns = grid[axes - 1]
  return Tensor(shape: leading + kept) { target in
    withPointers(field) { field in
      var position = 0
      for frame in 0..<leading.reduce(1, *) {
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
