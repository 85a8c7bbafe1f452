import CFFTW
import CKernels
import COpenBLAS

/// `Float` or `Double`: the operations that differ by precision.
///
/// Generic arithmetic loops across modules cost two orders of magnitude unless they are specialised, so
/// loops live here and in C, as static requirements with concrete bodies.
public protocol TensorScalar: BinaryFloatingPoint, Sendable {
  /// The name of the precision in files and configurations: `single` or `double`.
  static var precisionName: String { get }

  /// Rounds or widens every element of `source` into `target`; equal counts.
  static func convert<Other: TensorScalar>(
    _ source: UnsafeBufferPointer<Other>, into target: UnsafeMutableBufferPointer<Self>)

  /// y += a x for `count` elements.
  static func axpy(
    _ count: Int, _ a: Self, _ x: UnsafePointer<Self>, _ y: UnsafeMutablePointer<Self>)

  /// x ← a x for `count` elements.
  static func scale(_ count: Int, _ a: Self, _ x: UnsafeMutablePointer<Self>)

  /// The dot product of `count` elements, accumulated in double precision.
  static func dot(_ count: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>) -> Double

  /// The sum of (x - y)² over `count` elements, accumulated in double precision.
  static func squaredDistance(_ count: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>) -> Double

  /// C ← alpha op(A) op(B) + beta C, row-major; see `Matrix.multiply`.
  static func gemm(
    _ product: MatrixProduct, _ alpha: Self, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>, _ beta: Self,
    _ c: UnsafeMutablePointer<Self>)

  /// Makes an FFTW plan. Not thread-safe: call it under the plan cache's lock only.
  static func makePlan(_ key: FourierPlanKey) -> OpaquePointer?

  /// Runs an FFTW plan on new arrays; thread-safe.
  static func execute(
    _ plan: OpaquePointer, _ kind: FourierTransformKind, _ input: UnsafeMutablePointer<Self>,
    _ output: UnsafeMutablePointer<Self>)
}

/// The sizes of a matrix product C ← alpha op(A) op(B) + beta C of row-major matrices.
public struct MatrixProduct: Sendable {
  /// What is done to a factor before multiplying.
  public enum Operation: Sendable {
    /// Nothing.
    case none
    /// Transposition.
    case transpose

    var cblas: CBLAS_TRANSPOSE {
      switch self {
      case .none: CblasNoTrans
      case .transpose: CblasTrans
      }
    }
  }

  var rows: Int32
  var columns: Int32
  var inner: Int32
  var left: Operation
  var right: Operation
  var leftStride: Int32
  var rightStride: Int32
  var resultStride: Int32

  /// C is `rows` by `columns`; `inner` is the length of the sums.
  ///
  /// A stride is the distance between the starts of two rows as stored; by default rows are contiguous.
  public init(
    rows: Int, columns: Int, inner: Int, left: Operation = .none, right: Operation = .none,
    leftStride: Int? = nil, rightStride: Int? = nil, resultStride: Int? = nil
  ) {
    self.rows = Int32(rows)
    self.columns = Int32(columns)
    self.inner = Int32(inner)
    self.left = left
    self.right = right
    self.leftStride = Int32(leftStride ?? (left == .none ? inner : rows))
    self.rightStride = Int32(rightStride ?? (right == .none ? columns : inner))
    self.resultStride = Int32(resultStride ?? columns)
  }
}

// Documented by the protocol.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension Float: TensorScalar {
  public static var precisionName: String { "single" }

  public static func convert<Other: TensorScalar>(
    _ source: UnsafeBufferPointer<Other>, into target: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(source.count == target.count)
    if let source = source as? UnsafeBufferPointer<Double> {
      for index in source.indices { target[index] = Float(source[index]) }
    } else if let source = source as? UnsafeBufferPointer<Float> {
      _ = target.update(fromContentsOf: source)
    }
  }

  public static func axpy(
    _ count: Int, _ a: Float, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
  ) { ck_axpy_f32(count, a, x, y) }

  public static func scale(_ count: Int, _ a: Float, _ x: UnsafeMutablePointer<Float>) {
    ck_scale_f32(count, a, x)
  }

  public static func dot(_ count: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>) -> Double {
    ck_dot_f32(count, x, y)
  }

  public static func squaredDistance(
    _ count: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>
  ) -> Double { ck_squared_distance_f32(count, x, y) }

  public static func gemm(
    _ p: MatrixProduct, _ alpha: Float, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ beta: Float,
    _ c: UnsafeMutablePointer<Float>
  ) {
    cblas_sgemm(
      CblasRowMajor, p.left.cblas, p.right.cblas, p.rows, p.columns, p.inner, alpha, a, p.leftStride, b,
      p.rightStride, beta, c, p.resultStride)
  }

  public static func makePlan(_ key: FourierPlanKey) -> OpaquePointer? {
    key.withScratch(of: Float.self) { input, output in
      let n = key.shape.map(Int32.init)
      let flags = UInt32(FFTW_ESTIMATE)
      let rank = Int32(n.count)
      let many = Int32(key.batch)
      let (inputDistance, outputDistance) = (Int32(key.inputCount), Int32(key.outputCount))
      let complexInput = UnsafeMutableRawPointer(input).assumingMemoryBound(to: fftwf_complex.self)
      let complexOutput = UnsafeMutableRawPointer(output).assumingMemoryBound(to: fftwf_complex.self)
      switch key.kind {
      case .realToComplex:
        return fftwf_plan_many_dft_r2c(
          rank, n, many, input, nil, 1, inputDistance, complexOutput, nil, 1, outputDistance / 2, flags)
      case .complexToReal:
        return fftwf_plan_many_dft_c2r(
          rank, n, many, complexInput, nil, 1, inputDistance / 2, output, nil, 1, outputDistance, flags)
      case .complexForward, .complexBackward:
        return fftwf_plan_many_dft(
          rank, n, many, complexInput, nil, key.stride, key.row != nil ? 1 : inputDistance / 2,
          complexOutput, nil, key.stride, key.row != nil ? 1 : outputDistance / 2,
          key.kind == .complexForward ? FFTW_FORWARD : FFTW_BACKWARD, flags)
      case .cosineSynthesis, .cosineAnalysis, .cosineVertices:
        guard let kind = key.kind.realKind else { return nil }
        let kinds = [fftw_r2r_kind](repeating: kind, count: n.count)
        return fftwf_plan_many_r2r(
          rank, n, many, input, nil, 1, inputDistance, output, nil, 1, outputDistance, kinds, flags)
      }
    }
  }

  public static func execute(
    _ plan: OpaquePointer, _ kind: FourierTransformKind, _ input: UnsafeMutablePointer<Float>,
    _ output: UnsafeMutablePointer<Float>
  ) {
    let complexInput = UnsafeMutableRawPointer(input).assumingMemoryBound(to: fftwf_complex.self)
    let complexOutput = UnsafeMutableRawPointer(output).assumingMemoryBound(to: fftwf_complex.self)
    switch kind {
    case .realToComplex: fftwf_execute_dft_r2c(plan, input, complexOutput)
    case .complexToReal: fftwf_execute_dft_c2r(plan, complexInput, output)
    case .complexForward, .complexBackward: fftwf_execute_dft(plan, complexInput, complexOutput)
    case .cosineSynthesis, .cosineAnalysis, .cosineVertices: fftwf_execute_r2r(plan, input, output)
    }
  }
}

// Documented by the protocol.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension Double: TensorScalar {
  public static var precisionName: String { "double" }

  public static func convert<Other: TensorScalar>(
    _ source: UnsafeBufferPointer<Other>, into target: UnsafeMutableBufferPointer<Double>
  ) {
    precondition(source.count == target.count)
    if let source = source as? UnsafeBufferPointer<Float> {
      for index in source.indices { target[index] = Double(source[index]) }
    } else if let source = source as? UnsafeBufferPointer<Double> {
      _ = target.update(fromContentsOf: source)
    }
  }

  public static func axpy(
    _ count: Int, _ a: Double, _ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>
  ) { ck_axpy_f64(count, a, x, y) }

  public static func scale(_ count: Int, _ a: Double, _ x: UnsafeMutablePointer<Double>) {
    ck_scale_f64(count, a, x)
  }

  public static func dot(_ count: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>) -> Double {
    ck_dot_f64(count, x, y)
  }

  /// The dot products of `count` elements of `x` with `y` and with `z`, for which `x` is read once.
  package static func dots(
    _ count: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, _ z: UnsafePointer<Double>
  ) -> (Double, Double) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2) { products in
      ck_dots_f64(count, x, y, z, products.baseAddress!)
      return (products[0], products[1])
    }
  }

  public static func squaredDistance(
    _ count: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>
  ) -> Double { ck_squared_distance_f64(count, x, y) }

  public static func gemm(
    _ p: MatrixProduct, _ alpha: Double, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
    _ beta: Double, _ c: UnsafeMutablePointer<Double>
  ) {
    cblas_dgemm(
      CblasRowMajor, p.left.cblas, p.right.cblas, p.rows, p.columns, p.inner, alpha, a, p.leftStride, b,
      p.rightStride, beta, c, p.resultStride)
  }

  public static func makePlan(_ key: FourierPlanKey) -> OpaquePointer? {
    key.withScratch(of: Double.self) { input, output in
      let n = key.shape.map(Int32.init)
      let flags = UInt32(FFTW_ESTIMATE)
      let rank = Int32(n.count)
      let many = Int32(key.batch)
      let (inputDistance, outputDistance) = (Int32(key.inputCount), Int32(key.outputCount))
      let complexInput = UnsafeMutableRawPointer(input).assumingMemoryBound(to: fftw_complex.self)
      let complexOutput = UnsafeMutableRawPointer(output).assumingMemoryBound(to: fftw_complex.self)
      switch key.kind {
      case .realToComplex:
        return fftw_plan_many_dft_r2c(
          rank, n, many, input, nil, 1, inputDistance, complexOutput, nil, 1, outputDistance / 2, flags)
      case .complexToReal:
        return fftw_plan_many_dft_c2r(
          rank, n, many, complexInput, nil, 1, inputDistance / 2, output, nil, 1, outputDistance, flags)
      case .complexForward, .complexBackward:
        return fftw_plan_many_dft(
          rank, n, many, complexInput, nil, key.stride, key.row != nil ? 1 : inputDistance / 2,
          complexOutput, nil, key.stride, key.row != nil ? 1 : outputDistance / 2,
          key.kind == .complexForward ? FFTW_FORWARD : FFTW_BACKWARD, flags)
      case .cosineSynthesis, .cosineAnalysis, .cosineVertices:
        guard let kind = key.kind.realKind else { return nil }
        let kinds = [fftw_r2r_kind](repeating: kind, count: n.count)
        return fftw_plan_many_r2r(
          rank, n, many, input, nil, 1, inputDistance, output, nil, 1, outputDistance, kinds, flags)
      }
    }
  }

  public static func execute(
    _ plan: OpaquePointer, _ kind: FourierTransformKind, _ input: UnsafeMutablePointer<Double>,
    _ output: UnsafeMutablePointer<Double>
  ) {
    let complexInput = UnsafeMutableRawPointer(input).assumingMemoryBound(to: fftw_complex.self)
    let complexOutput = UnsafeMutableRawPointer(output).assumingMemoryBound(to: fftw_complex.self)
    switch kind {
    case .realToComplex: fftw_execute_dft_r2c(plan, input, complexOutput)
    case .complexToReal: fftw_execute_dft_c2r(plan, complexInput, output)
    case .complexForward, .complexBackward: fftw_execute_dft(plan, complexInput, complexOutput)
    case .cosineSynthesis, .cosineAnalysis, .cosineVertices: fftw_execute_r2r(plan, input, output)
    }
  }
}
