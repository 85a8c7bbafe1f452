import Autodiff
import NeuralOperators
import Tensors

/// The parameters of a model that have one role, and the optimizer that changes them.
struct ParameterGroup {
  let role: Parameter.Role
  let configuration: OptimizerConfiguration
  let names: [String]
  private let parameters: [Parameter]
  private var optimizer: any Optimizer

  /// The groups of a model that are not empty, weights first; untrained parameters belong to none.
  static func groups(of model: any Module, _ configuration: TrainingConfiguration) -> [ParameterGroup] {
    let named = model.namedParameters.filter(\.parameter.isTrainable)
    return Parameter.Role.allCases.compactMap { role in
      let members = named.filter { $0.parameter.role == role }
      let optimizer =
        role == .architecture
        ? configuration.architectureOptimizer ?? configuration.optimizer : configuration.optimizer
      return members.isEmpty ? nil : ParameterGroup(role, members, optimizer)
    }
  }

  private init(
    _ role: Parameter.Role, _ members: [(name: String, parameter: Parameter)],
    _ configuration: OptimizerConfiguration
  ) {
    self.role = role
    self.configuration = configuration
    names = members.map(\.name)
    parameters = members.map(\.parameter)
    optimizer = configuration.makeOptimizer(for: parameters)
  }

  /// One step in an epoch, counted from 0; while the group warms up, its parameters stay as they are.
  mutating func step(epoch: Int, learningRateFactor: Double) {
    if epoch >= configuration.warmUpEpochs {
      optimizer.step(parameters, learningRateFactor: learningRateFactor)
    }
    for parameter in parameters { parameter.gradient = nil }
  }

  /// What a checkpoint holds of the optimizer.
  var state: OptimizerState {
    OptimizerState(
      role: role, stepCount: optimizer.stepCount,
      memory: optimizer.memory.map { ($0.name, Array(zip(names, $0.values))) })
  }

  /// Continues from a state.
  ///
  /// - Throws: `TrainingError` if it is that of another optimizer or of other parameters.
  mutating func restore(_ state: OptimizerState, path: String) throws {
    var memory = optimizer.memory
    guard Set(state.memory.map(\.name)) == Set(memory.map(\.name)) else {
      throw TrainingError.invalidCheckpoint(
        path: path, reason: "the state of the optimizer is that of another method")
    }
    let shapes = zip(names, parameters).map { ($0, $1.value.shape) }
    for index in memory.indices {
      let arrays = state.memory.first { $0.name == memory[index].name }?.arrays ?? []
      memory[index].values = try Checkpoint.ordered(arrays, like: shapes, path: path)
    }
    optimizer.memory = memory
    optimizer.stepCount = state.stepCount
  }
}

/// The state of the optimizer of one group of parameters.
public struct OptimizerState: Sendable {
  /// The role of the parameters.
  public var role: Parameter.Role
  /// The number of steps taken.
  public var stepCount: Int
  /// What the method remembers, such as `first` and `second` moments: one array per parameter.
  public var memory: [(name: String, arrays: [(name: String, value: Tensor<Float>)])]
}
