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
  let kernel = FourierLayerKernel(input: FieldShape(u.shape), weight: weight.shape)
  let (value, spectrum, _) = kernel.forward(
    u.value, weight.value, skip: nil, activation: .identity, keepsSpectrum: weight.needsGradient,
    keepsSlope: false)
  return Variable(value, from: [u, weight]) {
    [weight = weight.value, uNeedsGradient = u.needsGradient] (gradient: consuming Tensor<Float>) in
    let gradients = kernel.adjoint(
      gradient, u: nil, skipGradients: false, weight, skipWeight: nil, spectrum: spectrum, slope: nil,
      activation: .identity, inputGradient: uNeedsGradient)
    return [gradients.u, gradients.weight]
  }
}

/// A whole Fourier layer: activation(spectralConvolution(u) + W u + b).
///
/// Shapes as for `spectralConvolution` and `pointwiseLinear` (skipWeight `[O, I]`, skipBias `[O]`). Fused:
/// every sample's output is finished while it is in the cache.
public func fourierLayer(
  _ u: Variable, weight: Variable, skipWeight: Variable, skipBias: Variable, activation: Activation
) -> Variable {
  let kernel = FourierLayerKernel(input: FieldShape(u.shape), weight: weight.shape)
  precondition(
    skipWeight.shape == [kernel.outputs, kernel.inputs] && skipBias.shape == [kernel.outputs],
    "skip weight \(skipWeight.shape) does not map \(kernel.inputs) to \(kernel.outputs) channels")
  let inputs = [u, weight, skipWeight, skipBias]
  let (value, spectrum, slope) = kernel.forward(
    u.value, weight.value, skip: (skipWeight.value, skipBias.value), activation: activation,
    keepsSpectrum: weight.needsGradient, keepsSlope: inputs.contains(where: \.needsGradient))
  // Only what the adjoint needs is kept: the value belongs to the next layer, which is done with it before.
  let derivative = activation == .relu ? value : slope
  return Variable(value, from: inputs) {
    [
      u = u.value, weight = weight.value, skipWeight = skipWeight.value, uNeedsGradient = u.needsGradient,
      skipNeedsGradient = skipWeight.needsGradient || skipBias.needsGradient
    ]
    (gradient: consuming Tensor<Float>) in
    let gradients = kernel.adjoint(
      gradient, u: u, skipGradients: skipNeedsGradient, weight, skipWeight: skipWeight, spectrum: spectrum,
      slope: derivative, activation: activation,
      inputGradient: uNeedsGradient)
    return [gradients.u, gradients.weight, gradients.skipWeight, gradients.skipBias]
  }
}

/// The two directions of a Fourier layer, with or without its skip connection.
private struct FourierLayerKernel {
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
      grid: input.grid, modes: weight[..<(dimensions - 1)].map { $0 / 2 } + [weight[dimensions - 1]])
  }

  /// The result, the input's modes and, where the adjoint needs it, the derivative of the activation.
  func forward(
    _ u: Tensor<Float>, _ weight: Tensor<Float>, skip: (weight: Tensor<Float>, bias: Tensor<Float>)?,
    activation: Activation, keepsSpectrum: Bool, keepsSlope: Bool
  ) -> (value: Tensor<Float>, spectrum: Tensor<Float>?, slope: Tensor<Float>?) {
    let spectrum = analyse(.forward, u, channels: inputs)
    let mixed = mix(spectrum, weight)
    var slope: Tensor<Float>?
    let value = Tensor<Float>.filled(input.shape(channels: outputs)) { value in
      if keepsSlope && activation == .gelu {
        slope = .filled(input.shape(channels: outputs)) { slope in
          finish(u, mixed, skip, activation, value, slope: slope)
        }
      } else {
        finish(u, mixed, skip, activation, value, slope: nil)
      }
    }
    return (value, keepsSpectrum ? spectrum : nil, slope)
  }

  /// Back to the grid, plus the skip connection, through the activation, sample by sample.
  private func finish(
    _ u: Tensor<Float>, _ mixed: Tensor<Float>, _ skip: (weight: Tensor<Float>, bias: Tensor<Float>)?,
    _ activation: Activation, _ value: UnsafeMutablePointer<Float>, slope: UnsafeMutablePointer<Float>?
  ) {
    withPointers(u, mixed, skip?.weight ?? u, skip?.bias ?? u) { u, mixed, skipWeight, skipBias in
      forEachSample { sample, scratch in
        let target = sample * outputs * points
        transform.synthesise(
          .forward, channels: outputs, mixed + sample * 2 * outputs, stride: samples * 2 * outputs,
          into: value + target, scratch: scratch
        ) { range in
          if skip == nil { return }
          let (source, start) = (u + sample * inputs * points + range.lowerBound, target + range.lowerBound)
          MatrixKernels.product(
            rows: outputs, columns: range.count,
            [ck_factors(inner: inputs, skipWeight, source, bStride: points)],
            finish: activation.finish(adding: true, bias: skipBias, slope: slope.map { $0 + start }),
            into: value + start, stride: points)
        }
      }
    }
  }

  /// The gradients of everything that `forward` took.
  ///
  /// - Parameter slope: the derivative of the activation; for `relu` its value, which is positive where the
  ///   derivative is one.
  func adjoint(
    _ gradient: consuming Tensor<Float>, u: Tensor<Float>?, skipGradients: Bool, _ weight: Tensor<Float>,
    skipWeight: Tensor<Float>?, spectrum: Tensor<Float>?, slope: Tensor<Float>?,
    activation: Activation, inputGradient: Bool
  ) -> (u: Tensor<Float>?, weight: Tensor<Float>?, skipWeight: Tensor<Float>?, skipBias: Tensor<Float>?) {
    // Sample by sample while it is in the cache: through the activation, in place, then the gradients of the
    // skip connection, then those of the modes.
    let termCount = outputs * (inputs + 1)
    var dz: Tensor<Float> = gradient
    var terms: Tensor<Float>?
    let dmixed = Tensor<Float>.filled([modeCount, samples, 2, outputs]) { dmixed in
      dz.withUnsafeMutableBuffer { dz in
        let dz = dz.baseAddress!
        let body = { (sample: Int, scratch: UnsafeMutablePointer<Float>) in
          transform.analyse(
            .adjoint, channels: outputs, dz + sample * outputs * points,
            into: dmixed + sample * 2 * outputs, stride: samples * 2 * outputs, scratch: scratch)
        }
        guard let u else { return forEachSample(body) }
        let allTerms = Tensor<Float>.filled([skipGradients ? samples : 0, termCount]) { terms in
          withPointers(u, slope ?? u) { u, slope in
            forEachSample { sample, scratch in
              let offset = sample * outputs * points
              activation.adjoint(outputs * points, slope: slope + offset, dz + offset)
              if skipGradients {
                linearGradient(
                  inputs: inputs, outputs: outputs, points: points, u + sample * inputs * points, dz + offset,
                  terms + sample * termCount)
              }
              body(sample, scratch)
            }
          }
        }
        if skipGradients { terms = allTerms }
      }
    }

    let weightGradient = spectrum.map { self.weightGradient($0, dmixed) }
    var du: Tensor<Float>?
    if inputGradient {
      let dspectrum = mixAdjoint(dmixed, weight)
      du = withPointers(dz, dspectrum, skipWeight ?? weight) { dz, dspectrum, skipWeightStart in
        Tensor<Float>.filled(input.shape(channels: inputs)) { du in
          forEachSample { sample, scratch in
            let target = sample * inputs * points
            transform.synthesise(
              .adjoint, channels: inputs, dspectrum + sample * 2 * inputs, stride: samples * 2 * inputs,
              into: du + target, scratch: scratch
            ) { range in
              if skipWeight == nil { return }
              let source = dz + sample * outputs * points + range.lowerBound
              MatrixKernels.product(
                rows: inputs, columns: range.count,
                [
                  ck_factors(
                    inner: outputs, transposed: skipWeightStart, stride: inputs, source, bStride: points)
                ], finish: Activation.identity.finish(adding: true, bias: nil),
                into: du + target + range.lowerBound, stride: points)
            }
          }
        }
      }
    }
    return (
      du, weightGradient, terms.map { sumOverFirstAxis($0, shape: [outputs, inputs]) },
      terms.map { sumOverFirstAxis($0, shape: [outputs], from: outputs * inputs) }
    )
  }

  /// Calls `body` with every sample and scratch memory of its thread.
  private func forEachSample(_ body: (_ sample: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void) {
    parallelFor(samples) { range in
      withScratch(scratchCount) { scratch in
        for sample in range { body(sample, scratch) }
      }
    }
  }

  /// The modes of a batch: `[mode][sample][re, im][channel]`.
  private func analyse(
    _ direction: TruncatedFourierTransform.Direction, _ field: Tensor<Float>, channels: Int
  ) -> Tensor<Float> {
    .filled([modeCount, samples, 2, channels]) { spectrum in
      field.start { field in
        forEachSample { sample, scratch in
          transform.analyse(
            direction, channels: channels, field + sample * channels * points,
            into: spectrum + sample * 2 * channels, stride: samples * 2 * channels, scratch: scratch)
        }
      }
    }
  }

  /// The fewest modes that are worth a thread: about 50 µs of work.
  private var grain: Int { max(1, 500_000 / (samples * inputs * outputs)) }

  /// mixed[mode] = spectrum[mode] · R[mode], complex products over the batch.
  private func mix(_ spectrum: Tensor<Float>, _ weight: Tensor<Float>) -> Tensor<Float> {
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
  private func mixAdjoint(_ dmixed: Tensor<Float>, _ weight: Tensor<Float>) -> Tensor<Float> {
    let batch = planar(row: 2 * outputs, imaginary: outputs)
    let matrix = planar(row: inputs, imaginary: inputs * outputs, conjugate: true)
    let result = planar(row: 2 * inputs, imaginary: inputs)
    return withPointers(dmixed, weight) { dy, r in
      Tensor<Float>.filled([modeCount, samples, 2, inputs]) { dx in
        parallelFor(modeCount, grain: grain) { range in
          withScratch(2 * inputs * outputs) { transposed in
            for mode in range {
              for part in 0..<2 {
                ck_transpose(
                  inputs, outputs, r + (mode * 2 + part) * inputs * outputs,
                  transposed + part * inputs * outputs)
              }
              ck_planar_product(
                samples, inputs, outputs, batch, dy + mode * samples * 2 * outputs, matrix, transposed,
                result, dx + mode * samples * 2 * inputs)
            }
          }
        }
      }
    }
  }

  /// dR[mode] = spectrum[mode]ᴴ · dmixed[mode]: the sum over the batch is the inner one of the product.
  private func weightGradient(_ spectrum: Tensor<Float>, _ dmixed: Tensor<Float>) -> Tensor<Float> {
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
