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
}

extension SpectralSystem {
  /// All coefficients.
  var activeModes: Int { linearSymbol.count }
  /// Nothing to do: all coefficients are always in use.
  func adaptResolution(_ state: UnsafePointer<Double>) -> Bool { false }
}

/// A scheme at work on a system: its coefficients for the last step used, and its stages.
protocol SteppingMethod: AnyObject {
  /// Writes the state one step later into `next`; `term` is N(state).
  func advance(
    _ state: UnsafePointer<Double>, term: UnsafePointer<Double>, by step: Double,
    into next: UnsafeMutablePointer<Double>)
  /// Forgets earlier steps: another sample begins.
  func restart()
}

/// Complex numbers as interleaved reals.
func interleaved(_ numbers: [Complex]) -> Workspace {
  Workspace(numbers.flatMap { [$0.real, $0.imaginary] })
}
