import Tensors

/// Several Markov chains in step, with everything that is needed to continue them and to judge them.
public struct MarkovChains: Sendable, Equatable {
  /// The shape of one state.
  public let grid: [Int]
  /// The number of iterations done, burn-in included.
  public internal(set) var iteration = 0
  /// The present states, `[chain, ...grid]`.
  public internal(set) var states: Tensor<Double>
  /// The misfit of every present state.
  public internal(set) var misfits: [Double]
  /// The step size of every chain.
  public internal(set) var stepSizes: [Double]

  /// The misfit of every chain after every iteration, burn-in included.
  public internal(set) var misfitTraces: [[Double]]
  /// Whether each iteration accepted its proposal, burn-in included.
  public internal(set) var acceptances: [[Bool]]
  /// The lowest Fourier modes of every kept draw: `[chain][quantity][draw]`, named by `FourierModes`.
  public internal(set) var modeTraces: [[[Double]]]

  /// The number of draws kept in each chain: iterations after the burn-in.
  public internal(set) var keptDraws = 0
  /// The mean of the kept draws of every chain, `[chain, ...grid]`.
  public internal(set) var means: Tensor<Double>
  /// The sum of squared deviations from that mean, `[chain, ...grid]`.
  public internal(set) var squaredDeviations: Tensor<Double>
  /// Every `thin`-th kept draw of every chain, `[chain][draw]`, in single precision.
  public internal(set) var thinnedDraws: [[Tensor<Float>]]

  /// The number of chains.
  public var count: Int { misfits.count }

  /// Chains that start from the given states, `[chain, ...grid]`.
  public init(states: Tensor<Double>, misfits: [Double], stepSize: Double) {
    let chains = misfits.count
    precondition(states.shape.first == chains, "\(chains) misfits for states \(states.shape)")
    grid = Array(states.shape.dropFirst())
    self.states = states
    self.misfits = misfits
    stepSizes = Array(repeating: stepSize, count: chains)
    misfitTraces = Array(repeating: [], count: chains)
    acceptances = Array(repeating: [], count: chains)
    modeTraces = Array(
      repeating: Array(repeating: [], count: FourierModes.names(grid: grid).count), count: chains)
    means = Tensor(shape: states.shape)
    squaredDeviations = Tensor(shape: states.shape)
    thinnedDraws = Array(repeating: [], count: chains)
  }

  /// The misfits of the kept draws, `[chain][draw]`.
  public var keptMisfits: [[Double]] { misfitTraces.map { Array($0.suffix(keptDraws)) } }

  /// The share of accepted proposals among the kept draws of every chain.
  public var acceptanceRates: [Double] {
    acceptances.map { chain in
      keptDraws == 0 ? .nan : Double(chain.suffix(keptDraws).count { $0 }) / Double(keptDraws)
    }
  }

  /// The mean of all kept draws of all chains: the estimate of the posterior mean.
  public var posteriorMean: Tensor<Double> {
    var mean = Tensor<Double>(shape: grid)
    mean.withUnsafeMutableBuffer { mean in
      withPointers(means) { means in
        for chain in 0..<count {
          Double.axpy(mean.count, 1 / Double(count), means + chain * mean.count, mean.baseAddress!)
        }
      }
    }
    return mean
  }

  /// The standard deviation of all kept draws of all chains about their common mean, pointwise.
  public var posteriorStandardDeviation: Tensor<Double> {
    let mean = posteriorMean
    let draws = Double(count * keptDraws)
    return Tensor(shape: grid) { deviation in
      withPointers(mean, means, squaredDeviations) { mean, means, squares in
        for point in deviation.indices {
          var sum = 0.0
          for chain in 0..<count {
            let offset = means[chain * deviation.count + point] - mean[point]
            sum += squares[chain * deviation.count + point] + Double(keptDraws) * offset * offset
          }
          deviation[point] = draws > 1 ? (sum / (draws - 1)).squareRoot() : .nan
        }
      }
    }
  }

  /// Counts the present states as draws (Welford's update of mean and variance).
  mutating func keepDraw(thin: Int) {
    keptDraws += 1
    let weight = 1 / Double(keptDraws)
    let states = states
    means.withUnsafeMutableBuffer { means in
      squaredDeviations.withUnsafeMutableBuffer { squares in
        states.withUnsafeBuffer { states in
          for index in states.indices {
            let before = states[index] - means[index]
            means[index] += before * weight
            squares[index] += before * (states[index] - means[index])
          }
        }
      }
    }
    for chain in 0..<count {
      let state = states[first: chain..<chain + 1].reshaped(to: grid)
      for (quantity, value) in FourierModes.values(of: state).enumerated() {
        modeTraces[chain][quantity].append(value)
      }
      if (keptDraws - 1).isMultiple(of: thin) {
        thinnedDraws[chain].append(Tensor<Float>(converting: state))
      }
    }
  }
}
