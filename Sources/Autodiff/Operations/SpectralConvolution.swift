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
  let saved = (kernel: kernel, weight: weight.value, spectrum: weight.needsGradient ? spectrum : nil)
  return Variable(value, from: [u, weight], saving: saved) { saved, gradient, inputs in
    let (kernel, weight, spectrum) = saved
    let dmixed = kernel.analyse(.adjoint, gradient, channels: kernel.outputs)
    if inputs.isNeeded(0) {
      inputs.add(
        kernel.synthesise(.adjoint, kernel.mixAdjoint(dmixed, weight), channels: kernel.inputs), to: 0)
    }
    if let spectrum { inputs.add(kernel.weightGradient(spectrum, dmixed), to: 1) }
  }
}

/// The parts of both directions of a spectral convolution.
struct SpectralKernel {
  let input: FieldShape
  let weightShape: Shape
  let transform: TruncatedFourierTransform
  let outputs: Int

  var inputs: Int { input.channels }
  private var points: Int { input.points }
  private var samples: Int { input.samples }
  private var modeCount: Int { transform.modeCount }

  init(input: FieldShape, weight: Shape) {
    let dimensions = input.grid.count
    precondition(
      weight.count == dimensions + 3 && weight[dimensions] == 2 && weight[dimensions + 1] == input.channels
        && weight.prefix(dimensions - 1).allSatisfy { $0 % 2 == 0 },
      "spectral weight \(weight) does not fit \(input.channels) channels on a grid \(input.grid)")
    self.input = input
    weightShape = weight
    outputs = weight[dimensions + 2]
    transform = .cached(
      grid: input.grid,
      modes: Shape(count: dimensions) { weight[$0] / ($0 < dimensions - 1 ? 2 : 1) })
  }

  /// What a thread takes at once: channels of a sample.
  struct Share {
    let sample: Int
    let channels: Range<Int>
  }

  /// In how many shares the channels of a sample are divided: in several where there are more threads than samples.
  ///
  /// Nothing that is computed for a channel depends on it.
  func shareCount(channels: Int) -> Int {
    let threads = (Parallelism.freeThreadCount + samples - 1) / max(1, samples)
    return max(1, min(threads, channels / Self.fewestChannels))
  }

  /// The fewest channels of a share: each reads the whole field.
  private static let fewestChannels = 8

  /// Calls `body` with all shares of all samples, and with scratch memory of its thread, enough for this kernel and another
  /// one.
  func forEachShare(
    channels: Int, count: Int, _ other: SpectralKernel? = nil,
    _ body: (_ share: Share, _ scratch: UnsafeMutablePointer<Float>) -> Void
  ) {
    // Few channels may need more than many: their fields are made in larger parts.
    let scratchCount = (channels / count...(channels + count - 1) / count).reduce(0) { most, channels in
      max(
        most, transform.scratchCount(channels: channels),
        other?.transform.scratchCount(channels: channels) ?? 0)
    }
    parallelFor(samples * count) { range in
      withScratch(scratchCount) { scratch in
        for index in range {
          let (sample, part) = (index / count, index % count)
          body(
            Share(sample: sample, channels: channels * part / count..<channels * (part + 1) / count), scratch)
        }
      }
    }
  }

  /// The shape of the modes of a batch: `[mode][sample][re, im][channel]`.
  func spectrumShape(channels: Int) -> Shape { [modeCount, samples, 2, channels] }

  /// Where the modes of a batch go: to their places at once, or, where several shares would write to one cache line, by way
  /// of the sums that they are made of.
  struct ModeTarget {
    let direction: TruncatedFourierTransform.Direction
    let channels: Int
    fileprivate let spectrum: UnsafeMutablePointer<Float>
    fileprivate let sums: UnsafeMutablePointer<Float>?
  }

  /// Calls `body`, which analyses all shares of all samples; the modes are in their places when this returns.
  func withModeTarget(
    _ direction: TruncatedFourierTransform.Direction, channels: Int, shares: Int,
    _ spectrum: UnsafeMutablePointer<Float>, _ body: (ModeTarget) -> Void
  ) {
    let count = channels * transform.modeSumCount
    withScratch(shares > 1 ? samples * count : 0) { sums in
      body(
        ModeTarget(
          direction: direction, channels: channels, spectrum: spectrum, sums: shares > 1 ? sums : nil))
      guard shares > 1 else { return }
      parallelFor(samples) { range in
        for sample in range {
          transform.scatter(
            direction, channels: channels, sums + sample * count, into: spectrum + sample * 2 * channels,
            stride: samples * 2 * channels)
        }
      }
    }
  }

  /// Finds the modes of a share, whose field this is.
  func analyse(
    _ share: Share, _ field: UnsafePointer<Float>, into target: ModeTarget,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let channels = target.channels
    if let sums = target.sums {
      let first = share.sample * channels + share.channels.lowerBound
      transform.sum(
        target.direction, channels: share.channels.count, field, into: sums + first * transform.modeSumCount,
        scratch: scratch)
    } else {
      transform.analyse(
        target.direction, channels: channels, field, into: target.spectrum + share.sample * 2 * channels,
        stride: samples * 2 * channels, scratch: scratch)
    }
  }

  /// The field of a share of `channels` from its modes among those of a batch, in parts: see `TruncatedFourierTransform`.
  func synthesise(
    _ direction: TruncatedFourierTransform.Direction, _ share: Share, of channels: Int,
    _ spectrum: UnsafePointer<Float>, inParts field: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>,
    finish: (_ points: Range<Int>, _ values: UnsafePointer<Float>, _ stride: Int) -> Void
  ) {
    transform.synthesise(
      direction, channels: share.channels.count,
      spectrum + share.sample * 2 * channels + share.channels.lowerBound, stride: samples * 2 * channels,
      imaginary: channels, inParts: field, scratch: scratch, finish: finish)
  }

  /// The modes of a batch.
  func analyse(
    _ direction: TruncatedFourierTransform.Direction, _ field: Tensor<Float>, channels: Int
  ) -> Tensor<Float> {
    .filled(spectrumShape(channels: channels)) { spectrum in
      field.start { field in
        let shares = shareCount(channels: channels)
        withModeTarget(direction, channels: channels, shares: shares, spectrum) { target in
          forEachShare(channels: channels, count: shares) { share, scratch in
            let start = (share.sample * channels + share.channels.lowerBound) * points
            analyse(share, field + start, into: target, scratch: scratch)
          }
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
        forEachShare(channels: channels, count: shareCount(channels: channels)) { share, scratch in
          let first = share.channels.lowerBound
          transform.synthesise(
            direction, channels: share.channels.count, spectrum + share.sample * 2 * channels + first,
            stride: samples * 2 * channels, imaginary: channels,
            into: field + (share.sample * channels + first) * points, scratch: scratch)
        }
      }
    }
  }

  /// The fewest modes that are worth a thread: about 10 µs of work.
  ///
  /// Fewer samples count as four, as matrices have to be read for one, too.
  private var grain: Int { max(1, 100_000 / (max(4, samples) * inputs * outputs)) }

  /// mixed[mode] = spectrum[mode] · R[mode], complex products over the batch.
  func mix(_ spectrum: Tensor<Float>, _ weight: Tensor<Float>) -> Tensor<Float> {
    let batch = planar(row: 2 * inputs, imaginary: inputs)
    let matrix = planar(row: outputs, imaginary: inputs * outputs)
    let result = planar(row: 2 * outputs, imaginary: outputs)
    let shape = spectrumShape(channels: outputs)
    return withPointers(spectrum, weight) { x, r in
      Tensor<Float>.filled(shape) { y in
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
    let (count, isAtHand) = (2 * inputs * outputs, transposed != nil)
    let shape = spectrumShape(channels: inputs)
    return withPointers(dmixed, weight, transposed ?? weight) { dy, r, turned in
      Tensor<Float>.filled(shape) { dx in
        parallelFor(modeCount, grain: grain) { range in
          withScratch(isAtHand ? 0 : count) { own in
            for mode in range {
              if !isAtHand { transpose(r + mode * count, into: own) }
              ck_planar_product(
                samples, inputs, outputs, batch, dy + mode * samples * 2 * outputs, matrix,
                isAtHand ? turned + mode * count : UnsafePointer(own), result,
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
    let shape: Shape = [modeCount, 2, outputs, inputs]
    return weight.start { r in
      Tensor<Float>.filled(shape) { turned in
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
  private var weight = Tensor<Float>.empty
  private var uses = 0
  private var matrices: Tensor<Float>?

  private static let idle = IdleObjects<TransposedModes>()

  /// For the modes of `weight`, and one operation.
  static func of(_ weight: Tensor<Float>) -> TransposedModes {
    let modes = idle.take { TransposedModes() }
    modes.weight = weight
    modes.uses = 1
    return modes
  }

  /// Lets go of the weight; whoever comes next may have this.
  func release() {
    (weight, uses, matrices) = (.empty, 0, nil)
    Self.idle.putBack(self)
  }

  /// One more operation may ask.
  func addUse() { uses += 1 }

  /// The matrices as `kernel`, of any of the operations, makes them; nil for a single one, which does as well without.
  func matrices(by kernel: SpectralKernel) -> Tensor<Float>? {
    if uses > 1, matrices == nil { matrices = kernel.transposed(weight) }
    return matrices
  }
}
