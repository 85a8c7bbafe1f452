import Tensors

/// One worker's solves of an initial-value problem with the derivative of the discrete map from the initial field to
/// the fields at the recorded times.
///
/// **What is differentiated.** The steps' sizes and resolutions are those that error control chose in the last solve,
/// held fixed; with them, everything is: transforms, the truncation of the input, stages, changes of resolution.
/// Tangent and adjoint are exact derivatives of the numbers computed, not discretisations of a derivative. Where
/// L is a viscosity times a fixed operator, the derivative with respect to the viscosity is among them.
///
/// **Cost.** In evaluations of N: a solve takes four per step of `etdrk4`; its adjoint three and a half to find
/// the stages again and four per cotangent, and four more where not all states were kept (`Trajectory`).
final class EvolutionDerivative {
  private let stepper: TimeStepper
  let times: [Double]
  private let trajectory: Trajectory
  private let derivative: any StepDerivative
  private let variables: Workspace
  private let next: Workspace
  private var between: [Workspace] = []  // the states after a kept one
  private var vectors: [Workspace] = []  // tangents or cotangents, one per direction
  private let field: Workspace
  /// The products of the last cotangents with the derivative with respect to the viscosity, if that was given.
  private(set) var viscosityProducts: [Double] = []

  private var system: any FieldSystem { stepper.system }
  private var stateCount: Int { stepper.state.count }

  /// - Parameters:
  ///   - capacity: how many states may be kept; nil for the default.
  ///   - viscosity: that of the system, if the derivative is to be that with respect to it too.
  init(
    _ system: any FieldSystem, timeStepping: TimeStepping, times: [Double], capacity: Int? = nil,
    viscosity: Double? = nil
  ) {
    stepper = TimeStepper(system, timeStepping: timeStepping, times: times)
    self.times = times
    derivative =
      timeStepping.scheme == .etdrk4
      ? ETDRK4Derivative(system, viscosity: viscosity)
      : CrankNicolsonDerivative(system, scheme: timeStepping.scheme, viscosity: viscosity)
    trajectory = Trajectory(variableCount: derivative.variableCount, capacity: capacity)
    (variables, next) = (
      Workspace(count: derivative.variableCount), Workspace(count: derivative.variableCount)
    )
    field = Workspace(count: system.pointCount)
    stepper.trajectory = trajectory
  }

  /// Solves and remembers how: fields `[time, ...grid]` for an initial field.
  func solve(_ input: UnsafePointer<Double>, sample: Int, into output: UnsafeMutablePointer<Double>) throws {
    try stepper.solve(input, sample: sample, into: output)
  }

  /// The sizes of the steps of the last solve, and the resolution of every state.
  var steps: (sizes: [Double], resolutions: [Int]) { (trajectory.steps, trajectory.resolutions) }

  // MARK: - Tangent

  /// Takes the steps of the last solve from another initial field, and its derivatives along directions with it.
  ///
  /// - Parameters:
  ///   - directions: `[direction, ...grid]`.
  ///   - viscosityChange: the change of the viscosity along all directions.
  ///   - products: the derivatives, `[direction, time, ...grid]`.
  ///   - output: the fields themselves, `[time, ...grid]`.
  func follow(
    _ input: UnsafePointer<Double>, directions: UnsafePointer<Double>? = nil, count: Int = 0,
    viscosityChange: Double = 0,
    products: UnsafeMutablePointer<Double>? = nil, into output: UnsafeMutablePointer<Double>? = nil
  ) {
    let points = system.pointCount
    prepareVectors(count)
    variables.start.update(repeating: 0, count: variables.count)
    system.transform(input, into: variables.start)
    for (number, vector) in vectors.prefix(count).enumerated() {
      system.transform(directions! + number * points, into: vector.start)
    }
    var (states, frame) = ((now: variables, next: next), 0)
    for index in trajectory.resolutions.indices {
      use(trajectory.resolutions[index], for: CollectionOfOne(states.now))
      use(trajectory.resolutions[index], for: vectors.prefix(count))
      while frame < times.count, trajectory.frames[frame] == index {
        let place = frame * points
        if let output { write(states.now, input, at: frame, to: output + place) }
        for number in 0..<count {
          write(
            vectors[number], directions! + number * points, at: frame,
            to: products! + number * times.count * points + place)
        }
        frame += 1
      }
      guard index < trajectory.steps.count else { break }
      linearize(index, at: states.now.start, into: states.next)
      for vector in vectors.prefix(count) {
        derivative.applyTangent(to: vector.start, viscosity: viscosityChange)
      }
      swap(&states.now, &states.next)
    }
  }

  /// The field of a state at a recorded time, or what it started from at t = 0.
  private func write(
    _ state: Workspace, _ initial: UnsafePointer<Double>, at frame: Int,
    to target: UnsafeMutablePointer<Double>
  ) {
    if times[frame] == 0 {
      target.update(from: initial, count: system.pointCount)
    } else {
      system.evaluate(state.start, into: target)
    }
  }

  // MARK: - Adjoint

  /// The products of the transposed Jacobian of the last solve with cotangents; the viscosity's go to
  /// `viscosityProducts`.
  ///
  /// - Parameters:
  ///   - cotangents: `[cotangent, time, ...grid]`.
  ///   - products: `[cotangent, ...grid]`.
  func applyAdjoint(
    to cotangents: UnsafePointer<Double>, count: Int, into products: UnsafeMutablePointer<Double>
  ) {
    let points = system.pointCount
    prepareVectors(count)
    products.update(repeating: 0, count: count * points)
    viscosityProducts = Array(repeating: 0, count: count)
    var frame = times.count - 1
    for index in trajectory.resolutions.indices.reversed() {
      // The state was cut to this resolution after the step that led to it, and so is its cotangent.
      while frame >= 0, trajectory.frames[frame] == index {
        for number in 0..<count {
          let cotangent = cotangents + (number * times.count + frame) * points
          if times[frame] == 0 {
            Double.axpy(points, 1, cotangent, products + number * points)
          } else {
            system.transform(cotangent, into: next.start)
            Double.axpy(stateCount, 1, next.start, vectors[number].start)
          }
        }
        frame -= 1
      }
      use(trajectory.resolutions[index], for: vectors.prefix(count))
      guard index > 0 else { break }
      let step = index - 1
      let state = state(step)
      use(trajectory.resolutions[step], for: vectors.prefix(count))
      linearize(step, at: state, into: nil)
      for (number, vector) in vectors.prefix(count).enumerated() {
        // The product of states is a mean over the points, that of fields a sum.
        viscosityProducts[number] += Double(points) * derivative.applyAdjoint(to: vector.start)
      }
    }
    // In the inner product of states, evaluation is the adjoint of the transform, and the other way round.
    for number in 0..<count {
      system.evaluate(vectors[number].start, into: field.start)
      Double.axpy(points, 1, field.start, products + number * points)
    }
  }

  /// The variables before a step, found again from the last kept ones unless that was just done.
  private func state(_ index: Int) -> UnsafeMutablePointer<Double> {
    let kept = trajectory.keptState(notAfter: index)
    guard index > kept.index else { return kept.variables }
    let isLastOfInterval =
      index + 1 == trajectory.steps.count || (index + 1).isMultiple(of: trajectory.interval)
    if isLastOfInterval {
      while between.count < index - kept.index { between.append(Workspace(count: variables.count)) }
      var previous = kept.variables
      for step in kept.index..<index {
        let reached = between[step - kept.index]
        system.resolution = trajectory.resolutions[step]
        linearize(step, at: previous, into: reached)
        use(trajectory.resolutions[step + 1], for: CollectionOfOne(reached))
        previous = reached.start
      }
    }
    return between[index - kept.index - 1].start
  }

  // MARK: - Parts

  /// Zero vectors for `count` directions.
  private func prepareVectors(_ count: Int) {
    while vectors.count < count { vectors.append(Workspace(count: derivative.variableCount)) }
    for vector in vectors.prefix(count) { vector.start.update(repeating: 0, count: vector.count) }
  }

  /// Linearises a step at the variables before it; those after it, if wanted, are zero where they are not in use.
  private func linearize(_ step: Int, at variables: UnsafeMutablePointer<Double>, into next: Workspace?) {
    derivative.linearize(
      at: variables, step: trajectory.steps[step], previousStep: trajectory.step(before: step),
      into: next?.start)
    if let next { use(trajectory.resolutions[step], for: CollectionOfOne(next)) }
  }

  /// Changes the resolution; what it leaves out of the variables is zero from now on.
  private func use(_ resolution: Int, for variables: some Sequence<Workspace>) {
    system.resolution = resolution
    let active = 2 * system.activeModes
    for vector in variables {
      for part in stride(from: 0, to: vector.count, by: stateCount) {
        (vector.start + part + active).update(repeating: 0, count: stateCount - active)
      }
    }
  }
}
