/// A dense, row-major array of `Float` or `Double` with value semantics.
///
/// Always contiguous and aligned to 64 bytes; copies share storage until one of them is written to. There
/// are no views and no broadcasting: kernels take pointers to whole arrays. A complex tensor is a real one
/// whose last axis has length 2 (real part, imaginary part), the interleaved layout of FFTW and BLAS.
///
/// The field's axis order is `[sample, channel, ...grid]`, or `[sample, time, ...grid]` in data files.
public struct Tensor<Scalar: TensorScalar>: Sendable {
  /// The length of every axis, slowest first.
  @inlinable public var shape: Shape { storage.shape }

  @usableFromInline var storage: TensorStorage

  /// The number of elements: the product of the axes' lengths.
  @inlinable public var count: Int { storage.count }

  /// The same for tensors that share storage.
  package var identity: ObjectIdentifier { ObjectIdentifier(storage.owner ?? storage) }

  /// The number of axes.
  public var rank: Int { shape.count }

  private init(storage: TensorStorage) { self.storage = storage }

  /// A tensor whose memory is not initialised.
  @usableFromInline
  init(uninitialized shape: Shape) {
    let count = shape.elementCount
    storage = MemoryPool.take(count * MemoryLayout<Scalar>.stride, shape: shape, count: count)
    storage.start.bindMemory(to: Scalar.self, capacity: max(1, count))
  }

  /// The first element.
  @inlinable var start: UnsafeMutablePointer<Scalar> { storage.start.assumingMemoryBound(to: Scalar.self) }

  /// A tensor whose elements `body` sets, all of them: the memory it gets is not initialised.
  @inlinable
  public init(
    shape: Shape, initializingWith body: (UnsafeMutableBufferPointer<Scalar>) throws -> Void
  ) rethrows {
    precondition(shape.allSatisfy { $0 >= 0 }, "negative length in shape \(shape)")
    self.init(uninitialized: shape)
    try body(UnsafeMutableBufferPointer(start: start, count: count))
  }

  /// A tensor with every element equal to `value`.
  public init(shape: Shape, repeating value: Scalar = 0) {
    self.init(shape: shape) { elements in
      if value == 0 && value.sign == .plus {
        // All bits are zero. The loop of generic code below takes many times longer.
        UnsafeMutableRawBufferPointer(elements).initializeMemory(as: UInt8.self, repeating: 0)
      } else {
        elements.update(repeating: value)
      }
    }
  }

  /// A tensor of the given shape from its elements in row-major order.
  public init(shape: Shape, scalars: some Collection<Scalar>) {
    precondition(
      scalars.count == shape.elementCount, "\(scalars.count) elements do not fill shape \(shape)")
    self.init(shape: shape) { _ = $0.update(fromContentsOf: Array(scalars)) }
  }

  /// A copy of `other` in this precision.
  public init<Other: TensorScalar>(converting other: Tensor<Other>) {
    self.init(shape: other.shape) { target in
      other.withUnsafeBuffer { source in
        if let source = source as? UnsafeBufferPointer<Scalar> {
          _ = target.update(fromContentsOf: source)
        } else {
          Scalar.convert(source, into: target)
        }
      }
    }
  }

  /// The elements in row-major order, copied into an array.
  public var scalars: [Scalar] { withUnsafeBuffer { Array($0) } }

  /// Calls `body` with the elements in row-major order.
  @inlinable
  public func withUnsafeBuffer<Result>(
    _ body: (UnsafeBufferPointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeBufferPointer(start: start, count: count))
  }

  /// Calls `body` with the elements in row-major order, which it may change.
  @inlinable
  public mutating func withUnsafeMutableBuffer<Result>(
    _ body: (UnsafeMutableBufferPointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    makeOwn()
    return try body(UnsafeMutableBufferPointer(start: start, count: count))
  }

  /// Copies the elements if others see them.
  @usableFromInline
  mutating func makeOwn() {
    if TensorStorage.mayBeWritten(&storage) { return }
    let copy = Tensor(uninitialized: shape)
    copy.start.update(from: start, count: count)
    self = copy
  }

  /// The same elements under another shape of the same count; shares storage.
  public func reshaped(to shape: Shape) -> Tensor {
    precondition(
      shape.elementCount == count, "cannot reshape \(self.shape) to \(shape): the counts differ")
    return Tensor(storage: TensorStorage(storage, as: shape))
  }

  /// A copy of the given positions of the first axis.
  public subscript(first range: Range<Int>) -> Tensor {
    precondition(
      rank > 0 && range.lowerBound >= 0 && range.upperBound <= shape[0],
      "range \(range) outside the first axis of shape \(shape)")
    let stride = shape.dropFirst().reduce(1, *)
    return Tensor(shape: [range.count] + shape.dropFirst()) { target in
      withUnsafeBuffer { source in
        let slice = source[range.lowerBound * stride..<range.upperBound * stride]
        _ = target.update(fromContentsOf: slice)
      }
    }
  }

  /// One element, by its index along every axis.
  ///
  /// Convenient, slow: kernels use buffers.
  public subscript(indices: Int...) -> Scalar {
    get { withUnsafeBuffer { $0[offset(of: indices)] } }
    set {
      let offset = offset(of: indices)
      withUnsafeMutableBuffer { $0[offset] = newValue }
    }
  }

  private func offset(of indices: [Int]) -> Int {
    precondition(indices.count == rank, "\(indices.count) indices for shape \(shape)")
    return zip(indices, shape).reduce(0) { offset, axis in
      precondition(axis.0 >= 0 && axis.0 < axis.1, "index \(indices) outside shape \(shape)")
      return offset * axis.1 + axis.0
    }
  }

  /// The tensors one after another along a new first axis; all must have the same shape.
  public static func stacking(_ tensors: [Tensor]) -> Tensor {
    precondition(!tensors.isEmpty, "nothing to stack")
    return concatenating(tensors.map { $0.reshaped(to: [1] + $0.shape) })
  }

  /// The tensors one after another along their first axis; their other axes must agree.
  public static func concatenating(_ tensors: [Tensor]) -> Tensor {
    precondition(!tensors.isEmpty, "nothing to concatenate")
    guard tensors.count > 1 else { return tensors[0] }
    let shape = tensors[0].shape.dropFirst()
    return Tensor(shape: [tensors.reduce(0) { $0 + $1.shape[0] }] + shape) { target in
      var start = 0
      for tensor in tensors {
        precondition(
          tensor.shape.dropFirst().elementsEqual(shape),
          "cannot join shapes \(tensors[0].shape) and \(tensor.shape)")
        tensor.withUnsafeBuffer { source in
          _ = UnsafeMutableBufferPointer(rebasing: target[start..<start + source.count])
            .update(fromContentsOf: source)
        }
        start += tensor.count
      }
    }
  }
}

extension Tensor: Equatable {
  /// Equal shapes and equal elements (so a NaN differs from itself).
  public static func == (left: Tensor, right: Tensor) -> Bool {
    left.shape == right.shape
      && left.withUnsafeBuffer { l in right.withUnsafeBuffer { r in l.elementsEqual(r) } }
  }
}

/// Reads several tensors at once without nesting closures.
@inlinable
public func withPointers<each Scalar: TensorScalar, Result>(
  _ tensors: repeat Tensor<each Scalar>, in body: (repeat UnsafePointer<each Scalar>) throws -> Result
) rethrows -> Result {
  // Every storage is kept alive while `body` runs.
  defer { repeat withExtendedLifetime(each tensors) {} }
  return try body(repeat UnsafePointer((each tensors).start))
}
