import CKernels
import Tensors

/// A perceptron W₂ activation(W₁ v + b₁) + b₂ behind a Fourier layer v = W u + S + b without activation, that is joined
/// with it: v is never made.
///
/// The hidden sums are W₁ v + b₁ = (W₁ W) u + W₁ S + (W₁ b + b₁), and W₁ S is the field of W₁ times the mixed modes.
/// W u, Wᵀ dv and the inner products for dW, the width squared each at every point, are saved. Instead the transform
/// runs over the hidden channels; their field is made, and its gradient used up, in pieces that stay in the cache.
struct Projection {
  /// H, the hidden channels, and those of the result.
  let hidden: Int
  let outputs: Int
  let activation: Activation
  /// W₁ and what it is applied to, the layer's mixed modes.
  let map: ChannelMap
  let hiddenWeightNeedsGradient: Bool
  /// Whether any of the four parameters needs one.
  let needsGradient: Bool

  /// The field that the layer begins with, as far as its grid and samples go.
  private let field: FieldShape
  private let quarters: FourierQuarters
  /// W₁ b + b₁.
  private let hiddenBias: Tensor<Float>
  private let weight: Tensor<Float>
  private let bias: Tensor<Float>

  /// The points of a quarter whose hidden sums are made at once.
  ///
  /// A multiple of the tiles of all instruction sets; 128 channels of them in all quarters are 192 KiB, beside which
  /// the field's channels have room in a cache of 512 KiB.
  private static let pointsAtOnce = 96

  private var points: Int { field.points }
  private var samples: Int { field.samples }
  private var pieceCount: Int { quarters.pieceCount(of: Self.pointsAtOnce) }
  /// The factors of cosines and sines of one sample.
  private var factorCount: Int { hidden * 2 * quarters.modes }

  /// The projection joined with a last layer, or nil where that is impossible or does not pay.
  ///
  /// - Parameter inputs: the channels of the field that the layer begins with.
  init?(_ variables: PerceptronVariables, behind kernel: SpectralKernel, inputs: Int, skipBias: Tensor<Float>)
  {
    variables.check(inputs: kernel.outputs)
    (hidden, outputs) = (variables.hiddenWeight.shape[0], variables.weight.shape[0])
    activation = variables.activation
    map = ChannelMap(matrix: variables.hiddenWeight.value)
    guard let quarters = kernel.transform.quarters,
      Self.pays(inputs: inputs, width: kernel.outputs, hidden: hidden, modes: quarters.modes)
    else { return nil }
    self.quarters = quarters
    field = kernel.input
    hiddenWeightNeedsGradient = variables.hiddenWeight.needsGradient
    needsGradient = variables.needGradient
    (weight, bias) = (variables.weight.value, variables.bias.value)
    hiddenBias = withPointers(map.matrix, skipBias, variables.hiddenBias.value) {
      [map, hidden] w1, b, b1 in
      Tensor<Float>.filled([hidden]) { result in
        MatrixKernels.product(
          rows: hidden, columns: 1, ck_factors(inner: map.inputs, w1, b, bStride: 1),
          finish: Activation.identity.finish(bias: b1), into: result)
      }
    }
    var perceptron = self.kernel(inputs: inputs, nil, nil, nil, nil)
    guard ck_perceptron_is_narrow(&perceptron) != 0 else { return nil }
  }

  /// Whether a training step computes less with a projection that is joined with a layer from `inputs` channels to
  /// `width`.
  ///
  /// At every point the two apart take three times the products of W, once forward and twice backward, four times those
  /// of W₁, as the hidden sums are made twice, and two transforms of the layer's channels; joined, four times those of
  /// W₁ W and three transforms of the hidden channels. A transform has half a product for every mode, which counts as
  /// one: its products take twice as long.
  static func pays(inputs: Int, width: Int, hidden: Int, modes: Int) -> Bool {
    let apart = 3 * inputs * width + 4 * width * hidden + 2 * width * modes
    let joined = 4 * inputs * hidden + 3 * hidden * modes
    return joined < apart
  }

  private func kernel(
    inputs: Int, _ w1: UnsafePointer<Float>?, _ b1: UnsafePointer<Float>?, _ w2: UnsafePointer<Float>?,
    _ b2: UnsafePointer<Float>?
  ) -> ck_perceptron {
    ck_perceptron(
      inputs: inputs, hidden: hidden, outputs: outputs, activation: activation.kernel, hidden_weight: w1,
      hidden_bias: b1, weight: w2, bias: b2)
  }

  // MARK: - Forward

  /// The factors of the cosines and sines in W₁ S from the mixed modes, `[sample, H, 2m]`.
  func factors(_ mixed: Tensor<Float>) -> Tensor<Float> {
    map.apply(mixed).start { modes in
      Tensor<Float>.filled([samples, hidden, 2 * quarters.modes]) { factors in
        parallelFor(samples) { range in
          for sample in range {
            quarters.gather(
              .forward, channels: hidden, modes + sample * 2 * hidden, stride: samples * 2 * hidden,
              imaginary: hidden, into: factors + sample * factorCount)
          }
        }
      }
    }
  }

  /// The result for a field u, `fieldWeight` times which is W₁ W times the layer's input.
  func forward(_ u: Tensor<Float>, fieldWeight: Tensor<Float>, factors: Tensor<Float>) -> Tensor<Float> {
    let inputs = fieldWeight.shape[1]
    return withPointers(u, fieldWeight, hiddenBias, weight, bias, factors) { u, w, b1, w2, b2, factors in
      let perceptron = kernel(inputs: inputs, w, b1, w2, b2)
      return Tensor<Float>.filled(field.shape(channels: outputs)) { y in
        parallelFor(samples * pieceCount) { range in
          var perceptron = perceptron
          withScratch(hidden * 4 * Self.pointsAtOnce + quarters.expansionScratchCount) { addend in
            for index in range {
              let sample = index / pieceCount
              let piece = quarters.piece(index % pieceCount, of: Self.pointsAtOnce)
              quarters.expand(
                piece, channels: hidden, factors + sample * factorCount, into: addend,
                scratch: addend + hidden * 4 * Self.pointsAtOnce)
              for quarter in 0..<4 {
                let first = piece.first(quarter)
                ck_perceptron(
                  &perceptron, piece.count, u + sample * inputs * points + first, points,
                  addend + quarter * piece.count, 4 * piece.count, y + sample * outputs * points + first,
                  points, nil)
              }
            }
          }
        }
      }
    }
  }

  // MARK: - Backward

  /// Which gradients a sample's way back gives.
  struct Wanted {
    /// Those of `fieldWeight`, W₁ b + b₁, W₂ and b₂.
    let terms: Bool
    /// Those of the field and of the modes of W₁ S.
    let field: Bool
    let modes: Bool
  }

  /// The gradients of what stands in `fieldWeight`'s place, W₁ b + b₁, W₂ and b₂.
  private func termCount(_ inputs: Int) -> Int { hidden * (inputs + 1) + outputs * (hidden + 1) }

  /// The gradients of the field, as far as it goes through `fieldWeight`, of the modes of W₁ S and, by samples, of the
  /// parameters; what is not wanted is empty.
  typealias Gradients = (field: Tensor<Float>, modes: Tensor<Float>, terms: Tensor<Float>)

  /// What the way back begins with.
  private enum Beginning {
    /// The gradient of the result.
    case gradient(UnsafePointer<Float>)
    /// What the result is compared with, and where the sums of squared differences go, by samples.
    case target(FieldComparison.KernelTarget, distances: UnsafeMutablePointer<Double>)
  }

  /// The way back from the gradient of the result.
  func adjoint(
    _ gradient: Tensor<Float>, _ u: Tensor<Float>, fieldWeight: Tensor<Float>, factors: Tensor<Float>,
    wanted: Wanted
  ) -> Gradients {
    gradient.start {
      gradients(from: .gradient($0), u, fieldWeight: fieldWeight, factors: factors, wanted: wanted)
    }
  }

  /// Both ways at once, for half the sum of the squared differences of the result from a target, which are returned by
  /// samples.
  func differences(
    from comparison: FieldComparison, _ u: Tensor<Float>, fieldWeight: Tensor<Float>, factors: Tensor<Float>,
    wanted: Wanted
  ) -> (gradients: Gradients, distances: Tensor<Double>) {
    var distances = Tensor<Double>(shape: [samples])
    let result: Gradients = distances.withUnsafeMutableBuffer { distances in
      comparison.withKernelTarget {
        gradients(
          from: .target($0, distances: distances.baseAddress!), u, fieldWeight: fieldWeight, factors: factors,
          wanted: wanted)
      }
    }
    return (result, distances)
  }

  private func gradients(
    from beginning: Beginning, _ u: Tensor<Float>, fieldWeight: Tensor<Float>, factors: Tensor<Float>,
    wanted: Wanted
  ) -> Gradients {
    let inputs = fieldWeight.shape[1]
    var (modes, terms) = (Tensor<Float>?.none, Tensor<Float>?.none)
    let fieldGradient = Tensor<Float>.filled(wanted: wanted.field ? field.shape(channels: inputs) : nil) {
      du in
      modes = .filled(wanted: wanted.modes ? Shape(quarters.modes, samples, 2, hidden) : nil) { modes in
        terms = .filled(wanted: wanted.terms ? Shape(samples, termCount(inputs)) : nil) { terms in
          withPointers(u, fieldWeight, hiddenBias, weight, bias, factors) { u, w, b1, w2, b2, factors in
            let perceptron = kernel(inputs: inputs, w, b1, w2, b2)
            nonisolated(unsafe) let beginning = beginning
            parallelFor(samples) { range in
              withScratch(scratchCount(inputs)) { scratch in
                for sample in range {
                  gradients(
                    sample, perceptron, from: beginning, u + sample * inputs * points,
                    factors: factors + sample * factorCount,
                    field: du.map { $0 + sample * inputs * points },
                    modes: modes.map { $0 + sample * 2 * hidden },
                    terms: terms.map { $0 + sample * termCount(inputs) }, scratch: scratch)
                }
              }
            }
          }
        }
      }
    }
    return (fieldGradient ?? .empty, modes ?? .empty, terms ?? .empty)
  }

  /// The sums of `ck_perceptron_adjoint`.
  private var sumCount: Int { hidden * (1 + outputs) * PerceptronKernel.parts }
  /// The room for hidden values of `ck_perceptron_difference`.
  private var valueCount: Int { hidden * Int(CK_WIDEST_TILE) }

  private func scratchCount(_ inputs: Int) -> Int {
    sumCount + factorCount + valueCount + (hidden + inputs + 4 * outputs) * 4 * Self.pointsAtOnce
      + max(quarters.expansionScratchCount, quarters.foldingScratchCount(of: Self.pointsAtOnce))
  }

  /// The gradients of one sample.
  private func gradients(
    _ sample: Int, _ perceptron: ck_perceptron, from beginning: Beginning, _ u: UnsafePointer<Float>,
    factors: UnsafePointer<Float>, field: UnsafeMutablePointer<Float>?, modes: UnsafeMutablePointer<Float>?,
    terms: UnsafeMutablePointer<Float>?, scratch: UnsafeMutablePointer<Float>
  ) {
    var perceptron = perceptron
    let (inputs, most) = (perceptron.inputs, 4 * Self.pointsAtOnce)
    let (sums, folded, values) = (scratch, scratch + sumCount, scratch + sumCount + factorCount)
    // The hidden sums' part W₁ S, and then their gradient; the piece's points of u, and of what is at the other end.
    let dz = values + valueCount
    let (ownField, own) = (dz + hidden * most, dz + (hidden + inputs) * most)
    let rest = own + 4 * outputs * most
    sums.update(repeating: 0, count: sumCount)
    folded.update(repeating: 0, count: factorCount)
    terms?.update(repeating: 0, count: termCount(inputs))
    let biasTerms = terms.map { $0 + termCount(inputs) - outputs }
    for index in 0..<pieceCount {
      let piece = quarters.piece(index, of: Self.pointsAtOnce)
      let width = 4 * piece.count
      collect(piece, channels: inputs, u, into: ownField)
      quarters.expand(piece, channels: hidden, factors, into: dz, scratch: rest)
      switch beginning {
      case .gradient(let dy):
        collect(piece, channels: outputs, dy + sample * outputs * points, into: own)
        ck_perceptron_adjoint(&perceptron, width, ownField, width, dz, width, own, width, dz, sums)
        if let biasTerms {
          for output in 0..<outputs { biasTerms[output] += Float(ck_sum_f32(width, own + output * width)) }
        }
      case .target(let target, let distances):
        let whole = target.sample(sample, from: 0)
        func collected(_ rows: UnsafePointer<Float>, _ place: Int) -> UnsafePointer<Float> {
          let target = own + place * outputs * most
          collect(piece, channels: outputs, rows, into: target)
          return UnsafePointer(target)
        }
        var part = ck_target(
          values: collected(whole.values, 1), scale: whole.scale.map { collected($0, 2) },
          shift: whole.shift.map { collected($0, 3) }, row: width)
        ck_perceptron_difference(
          &perceptron, width, ownField, width, dz, width, &part, own, width, dz, values, sums)
        distances[sample] += target.addSums(of: own, part, width: width, toBiasGradients: biasTerms)
      }
      if let terms {
        MatrixKernels.innerProducts(
          rows: hidden, columns: inputs, length: width, dz, ownField, adding: true, into: terms)
      }
      for quarter in 0..<4 {
        guard let field else { break }
        MatrixKernels.product(
          rows: inputs, columns: piece.count,
          ck_factors(
            inner: hidden, transposed: perceptron.hidden_weight, stride: inputs, dz + quarter * piece.count,
            bStride: width), into: field + piece.first(quarter), stride: points)
      }
      if modes != nil { quarters.fold(piece, channels: hidden, dz, into: folded, scratch: rest) }
    }
    if let modes {
      quarters.scatter(
        .adjoint, channels: hidden, folded, into: modes, stride: samples * 2 * hidden)
    }
    guard let terms else { return }
    PerceptronKernel.addParts(sums, hidden: hidden, outputs: outputs, to: terms + hidden * inputs)
  }

  /// A piece's points of all channels, in rows of their own.
  private func collect(
    _ piece: FourierQuarters.Piece, channels: Int, _ field: UnsafePointer<Float>,
    into rows: UnsafeMutablePointer<Float>
  ) {
    for quarter in 0..<4 {
      let (source, target) = (field + piece.first(quarter), rows + quarter * piece.count)
      for channel in 0..<channels {
        (target + channel * 4 * piece.count).update(from: source + channel * points, count: piece.count)
      }
    }
  }

  // MARK: - Gradients of parameters

  /// Adds the gradients of W₁, b₁, W₂ and b₂ to those of an operation's inputs.
  ///
  /// - Parameters:
  ///   - terms: from `adjoint`; empty where no parameter needs a gradient.
  ///   - joined: the gradient G of W₁ W; that of W₁ is G Wᵀ + db₁ bᵀ and a sum over modes and samples.
  ///   - bias: that of W₁ b + b₁.
  ///   - mixed: the layer's mixed modes, nil if W₁ needs no gradient; and the gradient of W₁ times them.
  ///   - first: the first of the four inputs.
  func addGradients(
    terms: Tensor<Float>, inputs: Int, joined: Tensor<Float>?, bias: Tensor<Float>?,
    skipWeight: Tensor<Float>, skipBias: Tensor<Float>, mixed: Tensor<Float>?, modes: Tensor<Float>,
    to gradients: Tape.InputGradients, from first: Int
  ) {
    guard let joined, let bias else { return }
    let hiddenWeight = mixed.map { mixed in
      withPointers(joined, bias, skipWeight, skipBias) { g, db, w, b in
        map.gradient(mixed, image: modes) { term in
          MatrixKernels.innerProducts(
            rows: hidden, columns: map.inputs, length: skipWeight.shape[1], g, w, into: term)
          MatrixKernels.innerProducts(
            rows: hidden, columns: map.inputs, length: 1, db, b, adding: true, into: term)
        }
      }
    }
    let offset = hidden * (inputs + 1)
    gradients.add(hiddenWeight, to: first)
    gradients.add(bias, to: first + 1)
    gradients.add(sumOverFirstAxis(terms, shape: weight.shape, from: offset), to: first + 2)
    gradients.add(sumOverFirstAxis(terms, shape: [outputs], from: offset + weight.count), to: first + 3)
  }
}
