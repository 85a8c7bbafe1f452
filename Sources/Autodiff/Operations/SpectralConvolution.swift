import CKernels
import Tensors

/// The Fourier integral operator of an FNO: every kept mode's channels are multiplied by a complex matrix of
/// that mode, all other modes are dropped.
///
/// Shapes: u `[sample, I, ...grid]`, result `[sample, O, ...grid]`; weight `[m, 2, I, O]` in one dimension,
/// `[2m₁, m₂, 2, I, O]` in two and `[2m₁, 2m₂, m₃, 2, I, O]` in three. Along every axis but the last come the
/// frequencies 0..m−1, then −m..−1, which have weights of their own. The axis of length 2 holds the real and the imaginary matrices (planar: the innermost loop runs over
/// O). Li et al., "Fourier neural operator for parametric partial differential equations", ICLR 2021.
public func spectralConvolution(_ u: Variable, weight: Variable) -> Variable {
  let kernel = SpectralKernel(input: FieldShape(u.shape), weight: weight.shape)
  let spectrum = kernel.analyse(.forward, u.value, channels: kernel.inputs)
  let value = kernel.synthesise(.forward, kernel.mix(spectrum, weight.value), channels: kernel.outputs)
  return Variable(value, from: [u, weight]) {
    [
      weight = weight.value, spectrum = weight.needsGradient ? spectrum : nil,
      uNeedsGradient = u.needsGradient
    ] gradient in
    let dmixed = kernel.analyse(.adjoint, gradient, channels: kernel.outputs)
    return [
      uNeedsGradient
        ? kernel.synthesise(.adjoint, kernel.mixAdjoint(dmixed, weight), channels: kernel.inputs) : nil,
      spectrum.map { kernel.weightGradient($0, dmixed) },
    ]
  }
}

/// The parts of both directions of a spectral convolution.
struct SpectralKernel {
  let input: FieldShape
  let weightShape: [Int]
  let transform: TruncatedFourierTransform

  var inputs: Int { input.channels }
  var outputs: Int { weightShape[weightShape.count - 1] }
  private var points: Int { input.points }
  private var samples: Int { input.samples }
  private var modeCount: Int { transform.modeCount }
  private var scratchCount: Int { transform.scratchCount(channels: max(inputs, outputs)) }

  init(input: FieldShape, weight: [Int]) {
    let dimensions = input.grid.count
    precondition(
      weight.count == dimensions + 3 && weight[dimensions] == 2 && weight[dimensions + 1] == input.channels
        && weight[..<(dimensions - 1)].allSatisfy { $0 % 2 == 0 },
      "spectral weight \(weight) does not fit \(input.channels) channels on a grid \(input.grid)")
    self.input = input
    weightShape = weight
    transform = .cached(
      grid: input.grid,
      modes: (0..<dimensions).lazy.map { weight[$0] / ($0 < dimensions - 1 ? 2 : 1) })
  }

  /// Calls `body` with every sample and scratch memory of its thread, enough for this kernel and another one.
  func forEachSample(
    _ other: SpectralKernel? = nil, _ body: (_ sample: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void
  ) {
    let count = max(scratchCount, other?.scratchCount ?? 0)
    parallelFor(samples) { range in
      withScratch(count) { scratch in
        for sample in range { body(sample, scratch) }
      }
    }
  }

  /// The shape of the modes of a batch: `[mode][sample][re, im][channel]`.
  func spectrumShape(channels: Int) -> [Int] { [modeCount, samples, 2, channels] }

  /// The modes of one sample, into their places among those of a batch.
  func analyse(
    _ direction: TruncatedFourierTransform.Direction, _ sample: Int, channels: Int,
    _ field: UnsafePointer<Float>, into spectrum: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    transform.analyse(
      direction, channels: channels, field, into: spectrum + sample * 2 * channels,
      stride: samples * 2 * channels, scratch: scratch)
  }

  /// The field of one sample from its modes among those of a batch, in parts: see `TruncatedFourierTransform`.
  func synthesise(
    _ direction: TruncatedFourierTransform.Direction, _ sample: Int, channels: Int,
    _ spectrum: UnsafePointer<Float>, inParts field: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>,
    finish: (_ points: Range<Int>, _ values: UnsafePointer<Float>, _ stride: Int) -> Void
  ) {
    transform.synthesise(
      direction, channels: channels, spectrum + sample * 2 * channels, stride: samples * 2 * channels,
      inParts: field, scratch: scratch, finish: finish)
  }

  /// The modes of a batch.
  func analyse(
    _ direction: TruncatedFourierTransform.Direction, _ field: Tensor<Float>, channels: Int
  ) -> Tensor<Float> {
    .filled(spectrumShape(channels: channels)) { spectrum in
      field.start { field in
        forEachSample { sample, scratch in
          analyse(
            direction, sample, channels: channels, field + sample * channels * points, into: spectrum,
            scratch: scratch)
        }
      }
    }
  }

  /// The fields of a batch.
  func synthesise(
    _ direction: TruncatedFourierTransform.Direction, _ spectrum: Tensor<Float>, channels: Int
  ) -> Tensor<Float> {
    .filled(input.shape(channels: channels)) { field in
      spectrum.start { spectrum in
        forEachSample { sample, scratch in
          transform.synthesise(
            direction, channels: channels, spectrum + sample * 2 * channels, stride: samples * 2 * channels,
            into: field + sample * channels * points, scratch: scratch)
        }
      }
    }
  }

  /// The fewest modes that are worth a thread: about 50 µs of work.
  private var grain: Int { max(1, 500_000 / (samples * inputs * outputs)) }

  /// mixed[mode] = spectrum[mode] · R[mode], complex products over the batch.
  func mix(_ spectrum: Tensor<Float>, _ weight: Tensor<Float>) -> Tensor<Float> {
    let batch = planar(row: 2 * inputs, imaginary: inputs)
    let matrix = planar(row: outputs, imaginary: inputs * outputs)
    let result = planar(row: 2 * outputs, imaginary: outputs)
    return withPointers(spectrum, weight) { x, r in
      Tensor<Float>.filled([modeCount, samples, 2, outputs]) { y in
        parallelFor(modeCount, grain: grain) { range in
          for mode in range {
            ck_planar_product(
              samples, outputs, inputs, batch, x + mode * samples * 2 * inputs, matrix,
              r + mode * 2 * inputs * outputs, result, y + mode * samples * 2 * outputs)
          }
        }
      }
    }
  }

  /// dspectrum[mode] = dmixed[mode] · R[mode]ᴴ.
  ///
  /// - Parameter transposed: what `transposed` gives for R, where it is at hand.
  func mixAdjoint(
    _ dmixed: Tensor<Float>, _ weight: Tensor<Float>, transposed: Tensor<Float>? = nil
  ) -> Tensor<Float> {
    let batch = planar(row: 2 * outputs, imaginary: outputs)
    let matrix = planar(row: inputs, imaginary: inputs * outputs, conjugate: true)
    let result = planar(row: 2 * inputs, imaginary: inputs)
    let count = 2 * inputs * outputs
    return withPointers(dmixed, weight, transposed ?? weight) { dy, r, turned in
      Tensor<Float>.filled([modeCount, samples, 2, inputs]) { dx in
        parallelFor(modeCount, grain: grain) { range in
          withScratch(transposed == nil ? count : 0) { own in
            for mode in range {
              if transposed == nil { transpose(r + mode * count, into: own) }
              ck_planar_product(
                samples, inputs, outputs, batch, dy + mode * samples * 2 * outputs, matrix,
                transposed == nil ? UnsafePointer(own) : turned + mode * count, result,
                dx + mode * samples * 2 * inputs)
            }
          }
        }
      }
    }
  }

  /// R[mode]ᵀ of all modes, one after the other: `[2, O, I]` each.
  func transposed(_ weight: Tensor<Float>) -> Tensor<Float> {
    let count = 2 * inputs * outputs
    return weight.start { r in
      Tensor<Float>.filled([modeCount, 2, outputs, inputs]) { turned in
        parallelFor(modeCount, grain: grain) { range in
          for mode in range { transpose(r + mode * count, into: turned + mode * count) }
        }
      }
    }
  }

  private func transpose(_ matrix: UnsafePointer<Float>, into turned: UnsafeMutablePointer<Float>) {
    for part in 0..<2 {
      ck_transpose(inputs, outputs, matrix + part * inputs * outputs, turned + part * inputs * outputs)
    }
  }

  /// dR[mode] = spectrum[mode]ᴴ · dmixed[mode]: the sum over the batch is the inner one of the product.
  func weightGradient(_ spectrum: Tensor<Float>, _ dmixed: Tensor<Float>) -> Tensor<Float> {
    let left = ck_planar(row: 1, column: 2 * inputs, imaginary: inputs, conjugate: 1)
    let right = planar(row: 2 * outputs, imaginary: outputs)
    let result = planar(row: outputs, imaginary: inputs * outputs)
    return withPointers(spectrum, dmixed) { x, dy in
      Tensor<Float>.filled(weightShape) { dr in
        parallelFor(modeCount, grain: grain) { range in
          for mode in range {
            ck_planar_product(
              inputs, outputs, samples, left, x + mode * samples * 2 * inputs, right,
              dy + mode * samples * 2 * outputs, result, dr + mode * 2 * inputs * outputs)
          }
        }
      }
    }
  }

  private func planar(row: Int, imaginary: Int, conjugate: Bool = false) -> ck_planar {
    ck_planar(row: row, column: 1, imaginary: imaginary, conjugate: conjugate ? 1 : 0)
  }
}

/// The transposed matrices of a weight's modes for the ways back of all operations of a tape that use it, as the steps of a
/// roll-out do: made by the first that asks, if there are several.
final class TransposedModes {
  private let weight: Tensor<Float>
  private var uses = 0
  private var matrices: Tensor<Float>?

  /// For the modes of `weight`.
  init(_ weight: Tensor<Float>) { self.weight = weight }

  /// One more operation may ask.
  func addUse() { uses += 1 }

  /// The matrices as `kernel`, of any of the operations, makes them; nil for a single one, which does as well without.
  func matrices(by kernel: SpectralKernel) -> Tensor<Float>? {
    if uses > 1, matrices == nil { matrices = kernel.transposed(weight) }
    return matrices
  }
}
