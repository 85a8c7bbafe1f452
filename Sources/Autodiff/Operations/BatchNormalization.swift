import CKernels
import Tensors

/// The running mean and variance of batch normalisation: gathered in training, used otherwise.
public struct RunningStatistics {
  /// `[channel]`, starts at 0.
  public let mean: Parameter
  /// `[channel]`, starts at 1.
  public let variance: Parameter
  /// How far one batch moves them.
  public let momentum: Float

  /// Statistics that start as those of a normalised field.
  public init(channels: Int, momentum: Float = 0.1) {
    mean = Parameter(Tensor(shape: [channels]), isTrainable: false)
    variance = Parameter(Tensor(shape: [channels], repeating: 1), isTrainable: false)
    self.momentum = momentum
  }
}

/// Batch normalisation: activation((u − mean)/√(variance + ε) · scale + shift), channel by channel.
///
/// Shapes: u `[sample, channel, ...grid]`; scale, shift `[channel]`. In training, mean and (biased) variance
/// are those of the batch over samples and grid points, and the running statistics move towards them (the
/// variance unbiased), as in PyTorch; otherwise the running statistics are used. Ioffe and Szegedy 2015. The
/// adjoint computes the value before the activation again: it costs less than reading it from memory.
public func batchNormalization(
  _ u: Variable, scale: Variable, shift: Variable, running: RunningStatistics, isTraining: Bool,
  epsilon: Float = 1e-5, activation: Activation = .identity
) -> Variable {
  let kernel = BatchNormalizationKernel(
    input: FieldShape(u.shape), epsilon: Double(epsilon), activation: activation)
  let channels = kernel.input.channels
  precondition(
    scale.shape.matches([channels]) && shift.shape.matches([channels])
      && running.mean.value.shape.matches([channels]),
    "batch normalisation of \(scale.shape[0]) channels applied to \(channels)")
  let statistics: ChannelPairs
  if isTraining {
    statistics = kernel.statistics(u.value)
    running.move(towards: statistics, count: kernel.count)
  } else {
    statistics = withPointers(running.mean.value, running.variance.value) { mean, variance in
      ChannelPairs(count: channels) { (Double(mean[$0]), Double(variance[$0])) }
    }
  }
  let value = kernel.forward(u.value, scale.value, shift.value, statistics)
  let saved = (kernel, u.value, scale.value, shift.value, statistics, isTraining)
  return Variable(value, from: VariableList(u, scale, shift), saving: saved) { saved, gradient, inputs in
    let (kernel, u, scale, shift, statistics, isTraining) = saved
    let gradients = kernel.adjoint(
      consume gradient, u, scale, shift, statistics, isTraining: isTraining)
    inputs.add(gradients.u, to: 0)
    inputs.add(gradients.scale, to: 1)
    inputs.add(gradients.shift, to: 2)
  }
}

extension RunningStatistics {
  fileprivate func move(towards statistics: ChannelPairs, count: Int) {
    let unbiased = Float(Double(count) / Double(max(1, count - 1)))
    mean.value.withUnsafeMutableBuffer { mean in
      variance.value.withUnsafeMutableBuffer { variance in
        for channel in statistics.indices {
          let batch = statistics[channel]
          mean[channel] += momentum * (Float(batch.0) - mean[channel])
          variance[channel] += momentum * (Float(batch.1) * unbiased - variance[channel])
        }
      }
    }
  }
}

/// Two numbers for every channel: mean and variance, or sums of gradients.
private typealias ChannelPairs = PooledList<(Double, Double)>

private struct BatchNormalizationKernel {
  let input: FieldShape
  let epsilon: Double
  let activation: Activation

  /// The number of values per channel.
  var count: Int { input.samples * input.points }

  /// Where the values of a channel start, one block of grid points per sample.
  private func blocks(_ channel: Int) -> StrideTo<Int> {
    stride(from: channel * input.points, to: input.samples * input.sampleCount, by: input.sampleCount)
  }

  /// Mean and variance of every channel from its sums, in double precision, in one pass.
  func statistics(_ u: Tensor<Float>) -> ChannelPairs {
    perChannel { channel in
      u.start { u in
        var (sum, squares) = (0.0, 0.0)
        for block in blocks(channel) {
          sum += ck_sum_f32(input.points, u + block)
          squares += Float.dot(input.points, u + block, u + block)
        }
        let mean = sum / Double(count)
        return (mean, max(0, squares / Double(count) - mean * mean))
      }
    }
  }

  /// The map of a channel before the activation: factor · u + summand.
  private func line(
    _ statistics: (mean: Double, variance: Double), scale: Float, shift: Float
  ) -> (factor: Float, summand: Float) {
    let factor = Double(scale) / (statistics.variance + epsilon).squareRoot()
    return (Float(factor), Float(Double(shift) - statistics.mean * factor))
  }

  func forward(
    _ u: Tensor<Float>, _ scale: Tensor<Float>, _ shift: Tensor<Float>,
    _ statistics: ChannelPairs
  ) -> Tensor<Float> {
    withPointers(u, scale, shift) { u, scale, shift in
      Tensor<Float>.filled(input.shape(channels: input.channels)) { y in
        parallelFor(input.channels) { range in
          for channel in range {
            let line = line(statistics[channel], scale: scale[channel], shift: shift[channel])
            for block in blocks(channel) {
              ck_affine_f32(input.points, line.factor, line.summand, u + block, y + block)
              if activation != .identity { activation.apply(input.points, bias: 0, y + block) }
            }
          }
        }
      }
    }
  }

  /// With x̂ the normalised value: dscale = Σ dy x̂, dshift = Σ dy and, in training,
  /// du = scale/√(variance + ε) (dy − mean(dy) − x̂ mean(dy x̂)).
  func adjoint(
    _ gradient: consuming Tensor<Float>, _ u: Tensor<Float>, _ scale: Tensor<Float>,
    _ shift: Tensor<Float>, _ statistics: ChannelPairs, isTraining: Bool
  ) -> (u: Tensor<Float>, scale: Tensor<Float>, shift: Tensor<Float>) {
    var result = gradient
    let sums: ChannelPairs = result.withUnsafeMutableBuffer { gradient in
      let gradient = gradient.baseAddress!
      return withPointers(u, scale, shift) { u, scale, shift in
        perChannel { channel in
          throughActivation(
            line(statistics[channel], scale: scale[channel], shift: shift[channel]), channel, u, gradient)
          let (mean, variance) = statistics[channel]
          let inverse = 1 / (variance + epsilon).squareRoot()
          var (sum, product) = (0.0, 0.0)
          for block in blocks(channel) {
            sum += ck_sum_f32(input.points, gradient + block)
            product += Float.dot(input.points, gradient + block, u + block)
          }
          let normalizedProduct = (product - mean * sum) * inverse
          let factor = Double(scale[channel]) * inverse
          // du = factor dy + slope u + summand
          let slope = isTraining ? -factor * inverse * normalizedProduct / Double(count) : 0
          let summand = isTraining ? -factor * sum / Double(count) - slope * mean : 0
          for block in blocks(channel) {
            ck_normalization_adjoint_f32(
              input.points, Float(factor), Float(slope), Float(summand), u + block, gradient + block)
          }
          return (normalizedProduct, sum)
        }
      }
    }
    let ofScale = Tensor<Float>.filled(Shape(input.channels)) { result in
      for channel in sums.indices { result[channel] = Float(sums[channel].0) }
    }
    let ofShift = Tensor<Float>.filled(Shape(input.channels)) { result in
      for channel in sums.indices { result[channel] = Float(sums[channel].1) }
    }
    return (result, ofScale, ofShift)
  }

  /// The gradient of a channel's value before the activation, in place.
  private func throughActivation(
    _ line: (factor: Float, summand: Float), _ channel: Int, _ u: UnsafePointer<Float>,
    _ gradient: UnsafeMutablePointer<Float>
  ) {
    if activation == .identity { return }
    withScratch(input.points) { z in
      for block in blocks(channel) {
        ck_affine_f32(input.points, line.factor, line.summand, u + block, z)
        activation.adjoint(input.points, z, gradient + block)
      }
    }
  }

  /// One result per channel, computed in parallel.
  private func perChannel(_ body: (Int) -> (Double, Double)) -> ChannelPairs {
    let pairs = Tensor<Double>.filled(Shape(input.channels, 2)) { pairs in
      parallelFor(input.channels) { range in
        for channel in range { (pairs[2 * channel], pairs[2 * channel + 1]) = body(channel) }
      }
    }
    return pairs.start { pairs in
      ChannelPairs(count: input.channels) { (pairs[2 * $0], pairs[2 * $0 + 1]) }
    }
  }
}
