import CFFTW
import Synchronization

/// The transforms that FFTW does for us.
///
/// None is normalised: forward then backward multiplies by the
/// number of points.
public enum FourierTransformKind: Hashable, Sendable {
  /// Real `[...n]` to the half spectrum `[..., n/2 + 1, 2]`.
  case realToComplex
  /// The half spectrum `[..., n/2 + 1, 2]` to real `[...n]`; **overwrites its input**.
  ///
  /// In more than one dimension FFTW assumes that the spectrum is that of a real field. Where it may not be,
  /// transform the leading axes with `complexBackward` and only the last one with this.
  case complexToReal
  /// Complex to complex, e^{−i}.
  case complexForward
  /// Complex to complex, e^{+i}.
  case complexBackward
  /// DCT-III (FFTW's REDFT01) along every axis: from cosine coefficients to values at cell centres.
  case cosineSynthesis
  /// DCT-II (FFTW's REDFT10) along every axis: from values at cell centres to cosine coefficients.
  case cosineAnalysis
  /// DCT-I (FFTW's REDFT00) along every axis: from cosine coefficients to values at n ≥ 2 vertices, both
  /// ends included; its own inverse up to the factor 2(n − 1) per axis.
  case cosineVertices

  /// FFTW's name for a transform from real to real; nil for the others.
  var realKind: fftw_r2r_kind? {
    switch self {
    case .cosineSynthesis: FFTW_REDFT01
    case .cosineAnalysis: FFTW_REDFT10
    case .cosineVertices: FFTW_REDFT00
    case .realToComplex, .complexToReal, .complexForward, .complexBackward: nil
    }
  }
}

/// A planned transform over the last axes of a batch of arrays.
///
/// Plans are made once per (kind, shape, batch, precision), under a lock, and shared by all threads.
/// The planner estimates instead of measuring: measured plans differ from run to run and change the last
/// bits of every result.
public struct FourierTransform<Scalar: TensorScalar>: Sendable {
  /// What is transformed, and how.
  public let kind: FourierTransformKind
  /// The number of points along every transformed axis (of the real array for real transforms).
  public let shape: Shape
  /// How many arrays are transformed.
  public let batch: Int

  private let plan: FourierPlan

  /// Takes the plan from the cache, or makes it.
  ///
  /// The arrays of a batch lie one after another, or, `interleaved`, element by element: element j of array
  /// b at j · row + b, as along any axis of an array but its last. Interleaved transforms are
  /// one-dimensional and complex.
  /// - Parameter row: How far the elements of an interleaved array are from each other, `batch` by default. Rows of a
  ///   multiple of a large power of two push each other out of the cache; `rowLength(holding:)` says what is better.
  public init(
    _ kind: FourierTransformKind, shape: Shape, batch: Int = 1, interleaved: Bool = false, row: Int? = nil
  ) {
    precondition(
      !shape.isEmpty && shape.allSatisfy { $0 > 0 } && batch > 0, "empty transform of shape \(shape)")
    precondition(
      !interleaved || shape.count == 1 && (kind == .complexForward || kind == .complexBackward),
      "interleaved transforms are one-dimensional and complex")
    precondition(
      row ?? batch >= batch && (interleaved || row == nil), "rows of \(row ?? 0) for \(batch) arrays")
    self.kind = kind
    self.shape = shape
    self.batch = batch
    plan = planCache.plan(
      FourierPlanKey(
        kind: kind, shape: shape, batch: batch, row: interleaved ? row ?? batch : nil,
        isDouble: MemoryLayout<Scalar>.size == 8),
      as: Scalar.self)
  }

  /// A length for rows of at least `count` complex numbers whose columns are transformed.
  ///
  /// With rows of a multiple of eight numbers, which are whole lines of the cache, a column finds place in a part of the
  /// cache only, the smaller the larger the power of two: one number is added then. A transform of 128 columns of 192
  /// points takes a fifth of the time so.
  public static func rowLength(holding count: Int) -> Int { count.isMultiple(of: 8) ? count + 1 : count }

  /// The number of scalars of one input array (two for a complex number).
  public var inputCount: Int { plan.key.inputCount }

  /// The number of scalars of one output array (two for a complex number).
  public var outputCount: Int { plan.key.outputCount }

  /// Transforms `batch` arrays from `input` into `output`, which must not overlap.
  ///
  /// Both must be aligned to 16 bytes, as the start of every tensor is.
  public func callAsFunction(
    _ input: UnsafeMutablePointer<Scalar>, _ output: UnsafeMutablePointer<Scalar>
  ) {
    precondition(
      (UInt(bitPattern: input) | UInt(bitPattern: output)) % 16 == 0,
      "FFT buffers must be aligned to 16 bytes")
    Scalar.execute(plan.pointer, kind, input, output)
  }
}

/// Transforms of whole tensors: simple, allocating.
///
/// Loops use `FourierTransform` on their own buffers.
public enum FFT {
  /// The half spectra over the last `dimensions` axes: `[..., n]` to `[..., n/2 + 1, 2]`, unnormalised.
  public static func forward<Scalar>(_ tensor: Tensor<Scalar>, dimensions: Int) -> Tensor<Scalar> {
    precondition(dimensions >= 1 && dimensions <= tensor.rank, "\(dimensions) axes of \(tensor.shape)")
    let grid = tensor.shape.suffix(dimensions)
    let batch = tensor.shape.dropLast(dimensions).elementCount
    let transform = FourierTransform<Scalar>(.realToComplex, shape: grid, batch: batch)
    return Tensor(shape: tensor.shape.dropLast() + [grid[dimensions - 1] / 2 + 1, 2]) { output in
      var input = tensor  // FFTW takes a mutable pointer but keeps the input of r2c
      input.withUnsafeMutableBuffer { transform($0.baseAddress!, output.baseAddress!) }
    }
  }

  /// The real fields of the half spectra over the last axes, divided by the number of points.
  ///
  /// `shape` gives the transformed axes of the result. Imaginary parts that no real field has (of the mean
  /// and Nyquist column of the last axis) are ignored, as numpy and PyTorch do.
  public static func inverse<Scalar>(_ spectrum: Tensor<Scalar>, shape: Shape) -> Tensor<Scalar> {
    let leading = spectrum.shape.dropLast(shape.count + 1)
    precondition(
      spectrum.shape.suffix(shape.count + 1) == shape.dropLast() + [
        shape[shape.count - 1] / 2 + 1, 2,
      ],
      "spectrum \(spectrum.shape) is not that of a field \(shape)")
    var work = spectrum
    let batch = leading.elementCount
    backwardOverLeadingAxes(&work, shape: shape)
    let rows = batch * shape.dropLast().elementCount
    let transform = FourierTransform<Scalar>(.complexToReal, shape: [shape[shape.count - 1]], batch: rows)
    let scale = Scalar(1) / Scalar(shape.elementCount)
    return Tensor(shape: leading + shape) { output in
      work.withUnsafeMutableBuffer { transform($0.baseAddress!, output.baseAddress!) }
      Scalar.scale(output.count, scale, output.baseAddress!)
    }
  }

  /// Complex backward transforms over all but the last spatial axis, one axis at a time.
  private static func backwardOverLeadingAxes<Scalar>(_ work: inout Tensor<Scalar>, shape: Shape) {
    for axis in 0..<shape.count - 1 {
      let length = shape[axis]
      let inner = shape[(axis + 1)...].dropLast().reduce(1, *) * (shape[shape.count - 1] / 2 + 1)
      let transform = FourierTransform<Scalar>(
        .complexBackward, shape: [length], batch: inner, interleaved: true)
      let block = 2 * length * inner
      var input = Tensor<Scalar>(shape: [block])
      var output = input
      work.withUnsafeMutableBuffer { values in
        for start in stride(from: 0, to: values.count, by: block) {
          input.withUnsafeMutableBuffer { input in
            input.baseAddress!.update(from: values.baseAddress! + start, count: block)
            output.withUnsafeMutableBuffer { output in
              transform(input.baseAddress!, output.baseAddress!)
              (values.baseAddress! + start).update(from: output.baseAddress!, count: block)
            }
          }
        }
      }
    }
  }
}

/// What identifies a plan in the cache.
public struct FourierPlanKey: Hashable, Sendable {
  let kind: FourierTransformKind
  let shape: Shape
  let batch: Int
  /// The distance between two elements of one array if the arrays are interleaved.
  let row: Int?
  let isDouble: Bool

  /// The distance between two elements of one array, in elements.
  var stride: Int32 { Int32(row ?? 1) }

  private var points: Int { shape.elementCount }
  private var halfSpectrum: Int { shape.dropLast().elementCount * (shape[shape.count - 1] / 2 + 1) }

  var inputCount: Int {
    switch kind {
    case .realToComplex, .cosineSynthesis, .cosineAnalysis, .cosineVertices: points
    case .complexToReal: 2 * halfSpectrum
    case .complexForward, .complexBackward: 2 * points
    }
  }

  var outputCount: Int {
    switch kind {
    case .complexToReal, .cosineSynthesis, .cosineAnalysis, .cosineVertices: points
    case .realToComplex: 2 * halfSpectrum
    case .complexForward, .complexBackward: 2 * points
    }
  }

  /// Plans are made for aligned arrays, so scratch arrays stand in for the caller's.
  func withScratch<Scalar: TensorScalar, Result>(
    of type: Scalar.Type,
    _ body: (UnsafeMutablePointer<Scalar>, UnsafeMutablePointer<Scalar>) -> Result
  ) -> Result {
    let arrays = row ?? batch
    return MemoryPool.withMemory(of: Scalar.self, arrays * inputCount) { input in
      MemoryPool.withMemory(of: Scalar.self, arrays * outputCount) { output in body(input, output) }
    }
  }
}

/// An FFTW plan; lives as long as the process.
///
/// Executing one is re-entrant, hence Sendable.
private final class FourierPlan: @unchecked Sendable {
  let key: FourierPlanKey
  let pointer: OpaquePointer

  init(key: FourierPlanKey, pointer: OpaquePointer) {
    self.key = key
    self.pointer = pointer
  }
}

private let planCache = FourierPlanCache()

/// All plans made so far.
///
/// FFTW's planner is not thread-safe, so planning happens under the lock.
private final class FourierPlanCache: Sendable {
  private let plans = Mutex<[FourierPlanKey: FourierPlan]>([:])

  func plan<Scalar: TensorScalar>(_ key: FourierPlanKey, as type: Scalar.Type) -> FourierPlan {
    plans.withLock { plans in
      if let plan = plans[key] { return plan }
      guard let pointer = Scalar.makePlan(key) else {
        preconditionFailure("FFTW has no plan for \(key)")
      }
      let plan = FourierPlan(key: key, pointer: pointer)
      plans[key] = plan
      return plan
    }
  }
}
