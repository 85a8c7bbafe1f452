import Tensors

/// A system u' = L u + N(u) for complex coefficients, with the scratch memory to evaluate N.
///
/// L is diagonal. One instance belongs to one worker. States and terms are `linearSymbol.count` complex
/// numbers, interleaved.
protocol SpectralSystem: AnyObject {
  /// L, one number per coefficient: real parts are rates of growth, imaginary ones frequencies.
  var linearSymbol: [Complex] { get }
  /// How many coefficients, from the first, are in use; the others are zero.
  var activeModes: Int { get }
  /// Writes the active coefficients of N(state) into `term`, and remembers what bounds the step.
  func evaluateNonlinearity(
    _ state: UnsafeMutablePointer<Double>, into term: UnsafeMutablePointer<Double>)
  /// The largest step that is stable at the state of the last evaluation, and accurate where the scheme does
  /// not estimate its errors.
  ///
  /// - Parameter timeScale: ‖u‖ / ‖u_t‖ at that state.
  func stepBound(_ scheme: TimeScheme, timeScale: Double) -> Double
  /// The L² norm of the field; not finite if any coefficient is not.
  func norm(_ state: UnsafePointer<Double>) -> Double
  /// A rigorous bound on the norm at `time`, given that at t = 0.
  func normBound(initial: Double, time: Double) -> Double
  /// Throws if the grid does not resolve the state at `time`.
  func checkResolution(_ state: UnsafeMutablePointer<Double>, time: Double, sample: Int) throws
  /// Uses fewer coefficients where the last ones vanish to round-off, more where they no longer do.
  ///
  /// - Returns: whether `activeModes` changed.
  func adaptResolution(_ state: UnsafePointer<Double>) -> Bool
  /// Which coefficients are in use: what `adaptResolution` changes.
  var resolution: Int { get set }
}

extension SpectralSystem {
  /// All coefficients.
  var activeModes: Int { linearSymbol.count }
  /// Nothing to do: all coefficients are always in use.
  func adaptResolution(_ state: UnsafePointer<Double>) -> Bool { false }
  /// There is one resolution.
  var resolution: Int {
    get { 0 }
    set { precondition(newValue == 0, "there is one resolution only") }
  }
}

/// A spectral system for one real periodic field, with the derivative of N.
///
/// **Inner product.** Coefficients û_kl with 0 < l below the Nyquist wave number stand for two modes, the others for
/// one. Counted so, by Parseval's theorem, the product of two states is the mean of the product of their fields,
/// and adjoints are those of the field's own derivatives: that of a transform is the transform back, that of
/// multiplication by a symbol is multiplication by the conjugate one.
protocol FieldSystem: SpectralSystem {
  /// The number of points of the field.
  var pointCount: Int { get }
  /// The coefficients of the real field at `field`; all of them are then in use.
  func transform(_ field: UnsafePointer<Double>, into state: UnsafeMutablePointer<Double>)
  /// Writes the real field of `state` into `field`.
  func evaluate(_ state: UnsafeMutablePointer<Double>, into field: UnsafeMutablePointer<Double>)
  /// The inner product of the active coefficients of two states.
  func product(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>) -> Double

  /// The count of numbers in which `linearize` keeps what N and its derivative need of a state.
  var linearizationCount: Int { get }
  /// Writes what N and its derivative need of `state` into `point`.
  func linearize(_ state: UnsafeMutablePointer<Double>, into point: UnsafeMutablePointer<Double>)
  /// Writes the active coefficients of N at `point` into `term`: the numbers of `evaluateNonlinearity`.
  func evaluateNonlinearity(at point: UnsafePointer<Double>, into term: UnsafeMutablePointer<Double>)
  /// Writes the active coefficients of N′ d at `point` into `result`.
  func applyTangent(
    at point: UnsafePointer<Double>, to direction: UnsafeMutablePointer<Double>,
    into result: UnsafeMutablePointer<Double>)
  /// Writes the active coefficients of N′* c at `point` into `result`.
  func applyAdjoint(
    at point: UnsafePointer<Double>, to cotangent: UnsafeMutablePointer<Double>,
    into result: UnsafeMutablePointer<Double>)
}

extension FieldSystem {
  /// The root of the product with itself.
  func norm(_ state: UnsafePointer<Double>) -> Double { product(state, state).squareRoot() }
}

/// A scheme at work on a system: its coefficients for the last step used, and its stages.
protocol SteppingMethod: AnyObject {
  /// Writes the state one step later into `next`; `term` is N(state).
  func advance(
    _ state: UnsafePointer<Double>, term: UnsafePointer<Double>, by step: Double,
    into next: UnsafeMutablePointer<Double>)
  /// Forgets earlier steps: another sample begins.
  func restart()
  /// What the next step needs of the last one, as many numbers as a state has; nil for a one-step method.
  var memory: Workspace? { get }
}

extension SteppingMethod {
  /// None.
  var memory: Workspace? { nil }
}

/// The derivative of one step of a scheme, sizes and resolution held fixed, and its adjoint.
///
/// A step maps variables to variables: the state, and after it what a multi-step method remembers. Only the
/// active coefficients are read and written. Linearising once serves any number of directions and cotangents.
/// Made for a viscosity ν with L proportional to it, it is the derivative with respect to ν as well.
protocol StepDerivative: AnyObject {
  /// How many numbers the variables are.
  var variableCount: Int { get }
  /// Takes a step from `variables`, keeping what the derivative needs.
  ///
  /// - Parameters:
  ///   - previousStep: the size of the step before; nil for the first one.
  ///   - next: where the variables after the step are to go, the same bits as when solving; nil if nowhere.
  func linearize(
    at variables: UnsafeMutablePointer<Double>, step: Double, previousStep: Double?,
    into next: UnsafeMutablePointer<Double>?)
  /// direction ← derivative of the step · direction, along a change of ν too.
  func applyTangent(to direction: UnsafeMutablePointer<Double>, viscosity change: Double)
  /// cotangent ← adjoint of the derivative · cotangent.
  ///
  /// - Returns: the product of the cotangent with the derivative of the step with respect to ν; zero if it was not made
  ///   for that.
  func applyAdjoint(to cotangent: UnsafeMutablePointer<Double>) -> Double
}

/// Complex numbers as interleaved reals.
func interleaved(_ numbers: [Complex]) -> Workspace {
  let reals = Workspace(count: 2 * numbers.count)
  for (index, number) in numbers.enumerated() {
    reals.start[2 * index] = number.real
    reals.start[2 * index + 1] = number.imaginary
  }
  return reals
}
