import Foundation
import Solvers
import Tensors

/// The stored fields solve the five-point equations, point by point: where all points of the solver are stored.
struct DarcyResidual: SampleCheck {
  let name = CheckName.equation
  let equation: AuditedDarcy
  let source: Double
  let subject: Subject

  init(_ equation: AuditedDarcy, source: Double, _ subject: Subject) {
    self.equation = equation
    self.source = source
    self.subject = subject
  }

  struct Measurement: Sendable {
    var judged: Judged
    /// What may have happened, if the equations do not hold.
    var suspicion: String?
  }

  private var side: Int { subject.description.grid[0] }
  private var stated: DarcyFlow.FaceCoefficient { equation.faceCoefficient ?? .arithmeticMean }

  func measure(_ sample: AuditedSample) -> Measurement {
    sample.withFrame(0, of: equation.permeability) { a in
      sample.withFrame(0, of: equation.pressure) { u in
        let judged = worst(a, u, stated, sample.index)
        guard judged.isWrong else { return Measurement(judged: judged) }
        return Measurement(judged: judged, suspicion: suspicion(a, u, sample.index))
      }
    }
  }

  /// The point where −∇·(a ∇u) is farthest from f, in units of what rounding explains.
  ///
  /// Rounding each number of u changes a sum of coefficients times differences by at most the rounding times the
  /// sum of the magnitudes; the linear solver leaves a residual of `tolerance` times the norm of the right side.
  private func worst(
    _ a: UnsafeBufferPointer<Double>, _ u: UnsafeBufferPointer<Double>, _ face: DarcyFlow.FaceCoefficient,
    _ sample: Int
  ) -> Judged {
    let (inA, inU) = (
      subject.rounding[equation.permeability] ?? 0, subject.rounding[equation.pressure] ?? 0
    )
    let scale = Double((side - 1) * (side - 1))
    let solver = equation.tolerance * Double(side) * max(abs(source), 1e-12)
    var worst = Judged(value: 0, bound: 1, place: Place(sample: sample, field: equation.pressure))
    guard a.allSatisfy({ $0 > 0 }) else {
      worst.value = .infinity
      return worst
    }
    var highest = -1.0
    for i in 1..<side - 1 {
      for j in 1..<side - 1 {
        let center = i * side + j
        var (flux, ofU, ofA) = (0.0, 0.0, 0.0)
        for other in [center - side, center + side, center - 1, center + 1] {
          let coefficient = Self.face(a[center], a[other], face)
          let difference = u[center] - u[other]
          flux += coefficient * difference
          ofU += coefficient * (abs(u[center]) + abs(u[other]))
          ofA += coefficient * abs(difference)
        }
        let residual = abs(scale * flux - source)
        let bound = 1.5 * scale * (inU * ofU + inA * ofA) + solver
        if residual / bound > highest {
          highest = residual / bound
          worst.value = residual
          worst.bound = bound
          worst.place.point = [i, j]
        }
      }
    }
    return worst
  }

  private static func face(_ a: Double, _ b: Double, _ mean: DarcyFlow.FaceCoefficient) -> Double {
    mean == .arithmeticMean ? 0.5 * (a + b) : 2 * a * b / (a + b)
  }

  /// What, if it is undone, makes the equations hold.
  private func suspicion(
    _ a: UnsafeBufferPointer<Double>, _ u: UnsafeBufferPointer<Double>, _ sample: Int
  ) -> String? {
    func holds(_ changed: [Double], _ face: DarcyFlow.FaceCoefficient) -> Bool {
      changed.withUnsafeBufferPointer { !worst(a, $0, face, sample).isWrong }
    }
    let field = "'\(equation.pressure)'"
    let given = Array(u)
    for face in DarcyFlow.FaceCoefficient.allCases where face != stated {
      if holds(given, face) { return "it was solved with \(face.rawValue) means on faces" }
    }
    if holds(given.map { -$0 }, stated) { return "the sign of \(field) looks flipped" }
    let turned = given.indices.map { given[$0 % side * side + $0 / side] }
    if holds(turned, stated) {
      let axes = subject.description.axes.map(\.name).joined(separator: " and ")
      return "\(field) looks transposed against '\(equation.permeability)' (axes \(axes) exchanged)"
    }
    let factor = factor(a, u)
    guard factor.isFinite, factor != 0, holds(given.map { factor * $0 }, stated) else { return nil }
    return "\(field) looks multiplied by \(Words.number(1 / factor)), or '\(equation.permeability)' is, "
      + "or both together"
  }

  /// The factor with which u satisfies Σ f u = Σ a |∇u|², which every solution does.
  func factor(_ a: UnsafeBufferPointer<Double>, _ u: UnsafeBufferPointer<Double>) -> Double {
    var (work, energy) = (0.0, 0.0)
    for i in 0..<side {
      for j in 0..<side {
        let center = i * side + j
        // Only inner points have an equation; the boundary values are zero and do no work.
        if i > 0, i < side - 1, j > 0, j < side - 1 { work += source * u[center] }
        if i + 1 < side, j > 0, j < side - 1 {
          let difference = u[center + side] - u[center]
          energy += Self.face(a[center], a[center + side], stated) * difference * difference
        }
        if j + 1 < side, i > 0, i < side - 1 {
          let difference = u[center + 1] - u[center]
          energy += Self.face(a[center], a[center + 1], stated) * difference * difference
        }
      }
    }
    return work / (energy * Double((side - 1) * (side - 1)))
  }

  func conclude(_ measurements: [Measurement]) -> CheckResult {
    let suspicions = Dictionary(
      measurements.compactMap { one in one.suspicion.map { (one.judged.place.sample, $0) } }
    ) { first, _ in first }
    return CheckResult(
      name, of: measurements.map(\.judged),
      reason: "|−∇·(a ∇u) − f| by the five-point scheme with \(stated.rawValue) means; what rounding of the "
        + "stored numbers and the tolerance of the linear solver explain at that point",
      passing: "the five-point equations hold at every point of every sample"
    ) { wrong in
      guard let suspicion = suspicions[wrong.place.sample] else {
        return Finding(
          "the residual of the equation is \(Words.number(wrong.value)), rounding explains "
            + Words.number(wrong.bound), at: wrong.place,
          advice: "look at the values around that point, or solve the sample again")
      }
      return Finding(
        suspicion, at: Place(sample: wrong.place.sample), advice: "change it back, or leave the sample out")
    }
  }
}

/// The source f as the stored fields have it, by Σ f u = Σ a |∇u|².
struct DarcySourceFit: SampleCheck {
  let name = CheckName.parameter
  private let residual: DarcyResidual

  init(_ residual: DarcyResidual) { self.residual = residual }

  /// The factor between the source that the fields have and the stated one.
  func measure(_ sample: AuditedSample) -> Double {
    sample.withFrame(0, of: residual.equation.permeability) { a in
      sample.withFrame(0, of: residual.equation.pressure) { u in 1 / residual.factor(a, u) }
    }
  }

  func conclude(_ measurements: [Double]) -> CheckResult {
    SourceFit(measurements.filter(\.isFinite), systematic: 0).result(stated: residual.source)
  }
}

/// The median of what the samples say about the source.
struct SourceFit {
  let factor: Double
  let uncertainty: Double
  let count: Int

  /// Factors between fitted and stated source; `systematic` is the relative error that all may share.
  init(_ factors: [Double], systematic: Double) {
    factor = Statistics.median(factors)
    uncertainty =
      1.2533 * Statistics.robustDeviation(factors, about: factor) / Double(max(1, factors.count)).squareRoot()
      + systematic
    count = factors.count
  }

  func result(stated: Double) -> CheckResult {
    guard count > 0, factor.isFinite else {
      return .notApplicable(.parameter, "no sample has a solution to fit the source to")
    }
    let value = stated * factor
    let text =
      "\(Words.number(value, digits: 5)) ± \(Words.number(abs(stated) * uncertainty, digits: 2))"
    let bound = max(1e-3, 3 * uncertainty)
    let difference = abs(factor - 1)
    let reason =
      "relative difference of the fitted and the stated source; three standard deviations, at least 0.1 %"
    guard !(difference <= bound) else {
      return CheckResult(
        .parameter, .pass, value: difference, bound: bound, reason: reason, samples: count,
        message: "the source fitted to the data, \(text), is the stated \(Words.number(stated, digits: 5))")
    }
    let finding = Finding(
      "the source fitted to the data is \(text), not the stated \(Words.number(stated, digits: 5))",
      advice: "state the fitted value, or look for a wrong scale of the solution or the coefficient")
    return CheckResult(
      .parameter, .fail, value: difference, bound: bound, reason: reason, samples: count, failures: count,
      message: finding.text, findings: [finding])
  }
}
