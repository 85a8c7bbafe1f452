import Foundation
import Solvers
import Tensors

/// Darcy flow solved again on the stored points, where not all points of the solver are stored.
///
/// The stored values are then not the solution of any scheme on the stored grid. How far apart the arithmetic
/// and the harmonic mean on faces are tells how much a jump of the coefficient between two points leaves open.
struct DarcyComparison {
  private let equation: AuditedDarcy
  private let source: Double
  private let solving: Solving

  init(_ equation: AuditedDarcy, source: Double, _ solving: Solving) {
    self.equation = equation
    self.source = source
    self.solving = solving
  }

  private struct Outcome {
    var judged: Judged
    var change: Double
    var factor: Double
    var suspicion: String?
  }

  /// The results of the checks `equation` and `parameter`.
  func results() throws -> [CheckResult] {
    let side = solving.subject.description.grid[0]
    let problems = try DarcyFlow.FaceCoefficient.allCases.map {
      try DarcyFlow(grid: side, source: .constant(source), faceCoefficient: $0)
    }
    var outcomes: [Outcome] = []
    let length = side <= 128 ? 8 * Parallelism.threadCount : Parallelism.threadCount
    for start in stride(from: 0, to: solving.samples.count, by: length) {
      try solving.progress(.solving, start, solving.samples.count)
      let samples = try solving.samples[start..<min(start + length, solving.samples.count)].map {
        try solving.sample($0)
      }
      let usable = samples.filter { sample in
        sample.withFrame(0, of: equation.permeability) { $0.allSatisfy { $0 > 0 } }
      }
      guard !usable.isEmpty else { continue }
      let coefficients = Tensor.stacking(usable.map { field($0, equation.permeability) })
      let solutions = try problems.map { try $0(coefficients.reshaped(to: [usable.count, 1, side, side])) }
      for (index, sample) in usable.enumerated() {
        outcomes.append(
          compare(
            field(sample, equation.pressure),
            solutions.map { $0[first: index..<index + 1].reshaped(to: [side, side]) },
            sample.index))
      }
    }
    guard !outcomes.isEmpty else {
      return [.notApplicable(.equation, "no sample can be solved: the coefficient is not positive")]
    }
    let suspicions = Dictionary(
      uniqueKeysWithValues: outcomes.map { ($0.judged.place.sample, $0.suspicion) })
    let result = CheckResult(
      .equation, of: outcomes.map(\.judged),
      reason:
        "distance from the solution on the stored points, relative; twice the distance of the solutions "
        + "with arithmetic and harmonic means on faces, which is what points left out leave open, and 1 %",
      passing: "every solution is that of its coefficient, as far as the stored points tell"
    ) { wrong in
      Finding(
        suspicions[wrong.place.sample].flatMap { $0 }
          ?? "it is not the solution of its coefficient: mismatch \(Words.number(wrong.value)), bound "
          + Words.number(wrong.bound), at: wrong.place, advice: "solve the sample again, or leave it out")
    }
    // The five-point scheme is off even where the means agree: its lowest eigenvalue is π² (1 − π² h²/12) for π².
    let spacing = 1 / Double(side - 1)
    let fit = SourceFit(
      outcomes.map { 1 / $0.factor }.filter(\.isFinite),
      systematic: Statistics.median(outcomes.map(\.change)) / 3 + (Double.pi * spacing)
        * (Double.pi * spacing) / 12)
    return [result, fit.result(stated: source)]
  }

  private func field(_ sample: AuditedSample, _ name: String) -> Tensor<Double> {
    sample.withFrame(0, of: name) { values in
      Tensor(shape: Shape(solving.subject.description.grid)) { _ = $0.update(fromContentsOf: values) }
    }
  }

  private func compare(_ stored: Tensor<Double>, _ solutions: [Tensor<Double>], _ sample: Int) -> Outcome {
    let count = stored.count
    func distance(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double {
      withPointers(a, b) { a, b in
        (Double.squaredDistance(count, a, b) / max(Double.dot(count, b, b), .leastNormalMagnitude))
          .squareRoot()
      }
    }
    // The stated mean, or the one that fits better.
    let statedIndex = equation.faceCoefficient.flatMap {
      DarcyFlow.FaceCoefficient.allCases.firstIndex(of: $0)
    }
    let index =
      statedIndex ?? solutions.indices.min {
        distance(stored, solutions[$0]) < distance(stored, solutions[$1])
      }
      ?? 0
    let solution = solutions[index]
    let change = distance(solutions[1 - index], solution)
    let bound = 2 * change + 0.01
    let mismatch = distance(stored, solution)
    let factor = withPointers(stored, solution) { stored, solution in
      Double.dot(count, stored, solution) / Double.dot(count, stored, stored)
    }
    var suspicion: String?
    if mismatch > bound {
      let field = "'\(equation.pressure)'"
      func isRight(_ alteration: Alteration) -> Bool {
        distance(alteration.undone(stored), solution) <= bound
      }
      if isRight(.negated) {
        suspicion = "the sign of \(field) looks flipped"
      } else if isRight(.transposed) {
        let axes = solving.subject.description.axes.map(\.name).joined(separator: " and ")
        suspicion = "\(field) looks transposed against '\(equation.permeability)' (axes \(axes) exchanged)"
      } else if factor > 0, isRight(.multiplied(by: 1 / factor)) {
        suspicion =
          "\(field) looks multiplied by \(Words.number(1 / factor, digits: 2)), or "
          + "'\(equation.permeability)' is, or both together"
      }
    }
    return Outcome(
      judged: Judged(
        value: mismatch, bound: bound, place: Place(sample: sample, field: equation.pressure)),
      change: change, factor: factor, suspicion: suspicion)
  }
}
