import Autodiff
import Foundation
import NeuralOperators
import Tensors
import Training

extension Benchmark {
  /// One optimizer step of the papers' networks: forward, relative L2, backward, Adam; batches of 20.
  static func training(_ size: Size) -> [Benchmark] {
    let isSmall = size == .small
    func fno(_ name: String, _ grid: Shape, width: Int, modes: Int, padding: Int = 0) -> Benchmark {
      let configuration = FNO.Configuration.modern(
        dimensions: grid.count, width: isSmall ? 4 : width, modes: isSmall ? 4 : modes,
        padding: isSmall ? 0 : padding)
      let grid = Shape(grid.map { isSmall ? max(16, $0 / 8) : $0 })
      return trainingStep(
        name, .fno(configuration), grid: grid, operations: ArithmeticCost.forward(configuration, grid: grid),
        batchSize: isSmall ? 2 : 20)
    }
    func cnn(_ name: String, _ grid: Shape, width: Int, modes: Int, isXD: Bool) -> Benchmark {
      let configuration = CNN.Configuration.backbone(
        dimensions: grid.count, width: isSmall ? 4 : width, modes: isSmall ? 4 : modes)
      let grid = Shape(grid.map { isSmall ? max(16, $0 / 8) : $0 })
      let model = ModelConfiguration.cnn(configuration)
      return trainingStep(
        name, isXD ? .xd(.init(backbone: model, grid: grid)) : model, grid: grid,
        operations: ArithmeticCost.forward(configuration, grid: grid, isXD: isXD),
        batchSize: isSmall ? 2 : 20)
    }
    return [
      fno("fno-1d-1024", [1024], width: 64, modes: 16),
      fno("fno-1d-8192", [8192], width: 64, modes: 16),
      fno("fno-darcy", [85, 85], width: 32, modes: 12),
      fno("fno-darcy-padded", [85, 85], width: 32, modes: 12, padding: 9),
      cnn("cnn-1d-1024", [1024], width: 64, modes: 16, isXD: false),
      cnn("xd-1d-1024", [1024], width: 64, modes: 16, isXD: true),
      cnn("cnn-darcy", [85, 85], width: 32, modes: 12, isXD: false),
      cnn("xd-darcy", [85, 85], width: 32, modes: 12, isXD: true),
    ] + time(isSmall: isSmall)
  }

  /// Models of the Navier-Stokes equation on 64 x 64 points at the FNO paper's sizes: width 20, 12 modes for the
  /// roll-out and 8 in space and time, ten frames of input.
  private static func time(isSmall: Bool) -> [Benchmark] {
    let (points, width, frames) = isSmall ? (16, 4, 2) : (64, 20, 10)
    let grid: Shape = [points, points]
    let step = FNO.Configuration.modern(
      dimensions: 2, inputChannels: 10, width: width, modes: isSmall ? 2 : 12)
    let recurrent = ModelConfiguration.recurrent(.init(step: .fno(step), frames: frames))
    let inside = FNO.Configuration.modern(
      dimensions: 3, inputChannels: 10, width: width, modes: isSmall ? 2 : 8)
    let spaceTime = ModelConfiguration.spaceTime(.init(model: .fno(inside), frames: 2 * frames))
    let rollOut = Double(frames) * ArithmeticCost.forward(step, grid: grid)
    let inSpaceTime = ArithmeticCost.forward(inside, grid: grid + [2 * frames])
    return [
      trainingStep(
        "fno-2d-time", recurrent, grid: grid, operations: rollOut, batchSize: isSmall ? 2 : 20,
        loss: .relativeL2ByChannel),
      application("fno-2d-time-roll-out", recurrent, grid: grid, operations: rollOut, gradient: false),
      application("fno-2d-time-gradient", recurrent, grid: grid, operations: rollOut, gradient: true),
      application(
        "fno-2d-time-roll-out-alone", recurrent, grid: grid, operations: rollOut, gradient: false, samples: 1),
      application(
        "fno-2d-time-gradient-alone", recurrent, grid: grid, operations: rollOut, gradient: true, samples: 1),
      application("fno-3d-forward", spaceTime, grid: grid, operations: inSpaceTime, gradient: false),
    ]
  }

  /// A trained model applied to some samples, or the gradient of a misfit with respect to its inputs.
  ///
  /// Times are of one sample. The gradient costs a forward pass and half of what a training step goes back.
  private static func application(
    _ name: String, _ model: ModelConfiguration, grid: Shape, operations: Double, gradient: Bool,
    samples: Int = 4
  ) -> Benchmark {
    let frames = model.outputChannels
    return Benchmark(
      name: name,
      summary:
        "\(gradient ? "gradient of a misfit" : "prediction"), \(frames) frames of \(Text.shape(grid)), \(samples > 1 ? "one of \(samples) samples" : "a single sample")",
      precision: .single, operations: (gradient ? 2 : 1) * operations * Double(samples), steps: samples
    ) { stopwatch in
      let trained = Trainer(model, configuration: TrainingConfiguration()).checkpoint
      let map = try LearnedOperator(trained)
      let input = Tensor<Double>(converting: noise([samples, model.inputChannels] + grid, sample: 0))
      try stopwatch.time {
        if gradient {
          _ = try map.vectorJacobianProducts(input) { solutions, _ in solutions }
        } else {
          _ = try map(input)
        }
      }
    }
  }

  /// - Parameter operations: those of a forward pass of one sample; a step takes three times as many.
  static func trainingStep(
    _ name: String, _ model: ModelConfiguration, grid: Shape, operations: Double, batchSize: Int,
    loss: FieldLossKind = .relativeL2
  ) -> Benchmark {
    Benchmark(
      name: name, summary: "training step, \(Text.shape(grid)), batch \(batchSize)", precision: .single,
      operations: 3 * operations * Double(batchSize)
    ) { stopwatch in
      let trainer = Trainer(
        model, configuration: TrainingConfiguration(epochs: .max, batchSize: batchSize, loss: loss))
      let batches = 4
      let data = TrainingData(
        inputs: noise([batches * batchSize, model.inputChannels] + grid, sample: 0),
        targets: noise([batches * batchSize, model.outputChannels] + grid, sample: 1))
      struct Enough: Error {}
      stopwatch.begin()
      var start = ContinuousClock.now
      do {
        try trainer.fit(data) { batch in
          // What an epoch does beside its steps falls between its last batch and the next one's first.
          if batch.batch > 1 { stopwatch.record(Progress.seconds(ContinuousClock.now - start)) }
          try Interruption.check()
          guard stopwatch.wantsMore else { throw Enough() }
          start = ContinuousClock.now
        }
      } catch is Enough {}
    }
  }

  private static func noise(_ shape: Shape, sample: Int) -> Tensor<Float> {
    var random = Philox(seed: 0, stream: .inputs, sample: sample)
    return Tensor(shape: shape) { values in
      for index in values.indices { values[index] = Float(random.nextNormal()) }
    }
  }
}

/// The operations of a network layer by layer, counted as products of real matrices; layers that are joined and transforms
/// by quarters do with fewer.
enum ArithmeticCost {
  /// The floating-point operations of a forward pass of one sample.
  ///
  /// Pointwise layers, mode mixing (8 for a complex product and sum), and the truncated Fourier transforms as
  /// matrix products with the half of the work that the symmetry of sines and cosines saves.
  static func forward(_ model: FNO.Configuration, grid: Shape) -> Double {
    let points = Double(grid.reduce(1, *))
    let padded = zip(grid, model.padding).map { Double($0 + $1) }
    let paddedPoints = padded.reduce(1, *)
    let width = Double(model.width)
    let inputs = Double(model.inputChannels + (model.coordinates == .none ? 0 : model.dimensions))
    let hidden = Double(model.projectionWidth)
    let lifting = 2 * points * inputs * width
    let projection = 2 * points * hidden * (width + Double(model.outputChannels))
    let skip = 2 * paddedPoints * width * width
    var transform = 2 * paddedPoints * Double(model.modes[model.dimensions - 1])
    var remaining = paddedPoints / padded[model.dimensions - 1] * Double(model.modes[model.dimensions - 1])
    var modes = Double(model.modes[model.dimensions - 1])
    for axis in (0..<model.dimensions - 1).reversed() {
      let kept = 2 * Double(model.modes[axis])
      transform += 4 * remaining * kept
      remaining *= kept / padded[axis]
      modes *= kept
    }
    let layer = skip + 2 * width * transform + 8 * modes * width * width
    return lifting + projection + Double(model.layers) * layer
  }

  /// The same for a convolutional network.
  ///
  /// Convolutions are counted as they are defined, which Fourier transforms can do with less. With
  /// XD-operations, K-matrices count 16 per entry and factor, along the last axis only on lines that are not all
  /// zero, and channels are mixed at every frequency.
  static func forward(_ model: CNN.Configuration, grid: Shape, isXD: Bool) -> Double {
    let points = Double(grid.reduce(1, *))
    let width = Double(model.width)
    let inputs = Double(model.inputChannels + (model.coordinates == .none ? 0 : model.dimensions))
    let hidden = Double(model.projectionWidth)
    let pointwise = 2 * points * (inputs * width + hidden * (width + Double(model.outputChannels)))
    let skip = 2 * points * width * width
    guard isXD else {
      let taps = Double(model.kernel.reduce(1, *))
      return pointwise + Double(model.layers) * (skip + 2 * points * width * width * taps)
    }
    let sizes = zip(grid, model.kernel).map { points, taps -> Double in
      let isPowerOfTwo = points & (points - 1) == 0
      return Double(ButterflyProduct.size(holding: isPowerOfTwo ? points : points + taps / 2))
    }
    var matrices = 0.0
    for axis in grid.indices {
      let lines = grid[..<axis].reduce(1) { $0 * Double($1) } * sizes[(axis + 1)...].reduce(1, *)
      matrices += lines * 16 * sizes[axis] * log2(sizes[axis])
    }
    let mixing = 8 * sizes.reduce(1, *) * width * width
    return pointwise + Double(model.layers) * (skip + 2 * width * matrices + mixing)
  }
}
