import AllocationCounter
import Autodiff
import Foundation
import InverseProblems
import NeuralOperators
import Solvers
import Tensors
import Training

// Counts what steady training steps and surrogate solves take from the heap: `allocations [CASE…]` prints JSON, by
// case the number of blocks, of large blocks (4 kB and more) and of bytes that one step asks for. This program's
// malloc counts and calls the C library's. With --full sizes are those of the papers, as in `phalarope bench`; with
// --serial there is one thread, and the counts do not depend on which threads meet.

/// What one step asks for, on average over a few.
struct Counts: Codable {
  var blocks = 0.0
  var large = 0.0
  var bytes = 0.0
}

/// The counts of steps after the first ones, which fill the pool.
final class Counter {
  private let warmUps = 4
  private let steps = 8
  private var step = 0
  private var before = ac_counts()
  private(set) var counts = Counts()

  /// To be called after every step; true when enough were counted.
  func record() -> Bool {
    step += 1
    if step == warmUps { before = ac_counts() }
    guard step == warmUps + steps else { return false }
    let after = ac_counts()
    counts = Counts(
      blocks: Double(after.allocations - before.allocations) / Double(steps),
      large: Double(after.large - before.large) / Double(steps),
      bytes: Double(after.bytes - before.bytes) / Double(steps))
    return true
  }
}

struct Enough: Error {}

if CommandLine.arguments.contains("--serial") { Parallelism.threadCount = 1 }
let isFull = CommandLine.arguments.contains("--full")

/// A size that depends on that.
func size(_ small: Int, full: Int) -> Int { isFull ? full : small }

func noise(_ shape: Shape, sample: Int) -> Tensor<Float> {
  var random = Philox(seed: 0, stream: .inputs, sample: sample)
  return Tensor(shape: shape) { values in
    for index in values.indices { values[index] = Float(random.nextNormal()) }
  }
}

func trainingStep(
  _ model: ModelConfiguration, grid: Shape, loss: FieldLossKind = .relativeL2
) throws -> Counts {
  let (batch, batches) = (size(4, full: 20), 14)
  let trainer = Trainer(model, configuration: TrainingConfiguration(epochs: 1, batchSize: batch, loss: loss))
  let data = TrainingData(
    inputs: noise([batches * batch, model.inputChannels] + grid, sample: 0),
    targets: noise([batches * batch, model.outputChannels] + grid, sample: 1))
  let counter = Counter()
  do {
    try trainer.fit(data) { _ in if counter.record() { throw Enough() } }
  } catch is Enough {}
  return counter.counts
}

/// The FNO paper's roll-out.
let rollOut: ModelConfiguration = {
  let frames = size(3, full: 10)
  let step = FNO.Configuration.modern(
    dimensions: 2, inputChannels: frames, width: size(8, full: 20), modes: size(4, full: 12))
  return .recurrent(.init(step: .fno(step), frames: frames))
}()

func surrogate(_ model: ModelConfiguration) throws -> LearnedOperator {
  try LearnedOperator(Trainer(model, configuration: TrainingConfiguration()).checkpoint)
}

func solve(gradient: Bool) throws -> Counts {
  let map = try surrogate(rollOut)
  let points = size(32, full: 64)
  let input = Tensor<Double>(converting: noise([4, rollOut.inputChannels, points, points], sample: 0))
  let counter = Counter()
  repeat {
    if gradient {
      _ = try map.vectorJacobianProducts(input) { solutions, _ in solutions }
    } else {
      _ = try map(input)
    }
  } while !counter.record()
  return counter.counts
}

/// A draw of all four chains of an inversion.
func draw() throws -> Counts {
  let points = size(32, full: 64)
  let grid: Shape = [points, points]
  let map = try surrogate(.fno(.modern(dimensions: 2, width: size(8, full: 20), modes: size(4, full: 12))))
  let observation = PointObservation(grid: grid, perAxis: [5, 5])
  let problem = InverseProblem(
    prior: PeriodicGaussianField.navierStokes(grid: points), forward: map, observation: observation,
    data: Array(repeating: 0.1, count: observation.count), noise: 0.1)
  let schedule = SamplingSchedule(draws: 1000, burnIn: 0, chains: 4, stepSize: 0.1, seed: 0)
  let sampler = PreconditionedCrankNicolson(problem)
  var chains = try schedule.start(sampler)
  let counter = Counter()
  do {
    try schedule.run(&chains, with: sampler) { chains, _ in
      chains.clearRecords()
      if counter.record() { throw Enough() }
    }
  } catch is Enough {}
  return counter.counts
}

let cnn = ModelConfiguration.cnn(.backbone(dimensions: 2, width: size(8, full: 32), modes: size(4, full: 12)))
let square: Shape = [size(45, full: 85), size(45, full: 85)]
let line = (width: size(16, full: 64), modes: size(8, full: 16))
let plane = (width: size(8, full: 32), modes: size(4, full: 12))
let cases: [(name: String, count: () throws -> Counts)] = [
  (
    "fno-1d",
    { try trainingStep(.fno(.modern(dimensions: 1, width: line.width, modes: line.modes)), grid: [1024]) }
  ),
  (
    "fno-1d-published",
    {
      try trainingStep(
        .fno(
          .init(
            dimensions: 1, inputChannels: 1, outputChannels: 1, width: line.width, modes: [line.modes],
            activation: .relu, normalization: .batch, padding: [0], coordinates: .inclusive)), grid: [1024])
    }
  ),
  (
    "fno-2d",
    {
      try trainingStep(
        .fno(.modern(dimensions: 2, width: plane.width, modes: plane.modes, padding: 9)), grid: square)
    }
  ),
  ("cnn-2d", { try trainingStep(cnn, grid: square) }),
  ("xd-2d", { try trainingStep(.xd(.init(backbone: cnn, grid: square)), grid: square) }),
  (
    "fno-2d-time",
    {
      let points = size(32, full: 64)
      return try trainingStep(rollOut, grid: [points, points], loss: .relativeL2ByChannel)
    }
  ),
  ("roll-out", { try solve(gradient: false) }),
  ("roll-out-gradient", { try solve(gradient: true) }),
  ("inversion-draw", { try draw() }),
]

let wanted = Set(CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("--") })
var results: [String: Counts] = [:]
for (name, count) in cases where wanted.isEmpty || wanted.contains(name) { results[name] = try count() }
let encoder = JSONEncoder()
encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
print(String(decoding: try encoder.encode(results), as: UTF8.self))
