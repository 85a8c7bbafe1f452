import ArgumentParser
import Experiments

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a surrogate into a run folder.",
    discussion: """
      The folder gets the resolved configuration, a manifest, the metrics of every epoch, checkpoints, an \
      evaluation on the test set, figures and a report. Ctrl-C stops after writing a checkpoint; --resume \
      continues to the same bits as a run that never stopped.

        phalarope train configs/burgers-fno.yaml
        phalarope train configs/burgers-fno.yaml model.width=32 output=runs/narrow
        phalarope train runs/narrow/config.yaml --resume
      """)

  @OptionGroup var configuration: ConfigurationArguments
  @OptionGroup var outputPolicy: OutputPolicy
  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      let config = try TrainConfig(configuration.load())
      try TrainStage.run(config, policy: outputPolicy.policy, console)
    }
  }
}
