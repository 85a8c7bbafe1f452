import ArgumentParser
import Experiments
import Foundation

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Draw inputs, solve the equation for each, write one dataset file.",
    discussion: """
      Sample i depends on the configuration, the seed and i alone. An interrupted generation continues when \
      the same command is given again; until it is complete the file is called NAME.partial.

        phalarope generate configs/burgers.yaml
        phalarope generate configs/darcy.yaml samples=100 output=data/small.h5

      To spread the work over machines, give each a shard and merge the files; the result has the same bits \
      as a file generated at once. In a Slurm job array (sbatch --array=0-63) the shard follows from the \
      task. A shard that is complete already is kept, so all of them may be started again; the whole \
      dataset is refused if it exists.

        phalarope generate configs/darcy.yaml --shard 3/64
        phalarope merge data/darcy-*-of-00064.h5 --output data/darcy.h5

      The file opens in h5py, xarray and The Well's loader, and with the .xmf file beside it in ParaView.
      """)

  @OptionGroup var configuration: ConfigurationArguments

  @Option(
    help: ArgumentHelp(
      "Make part i of N, i from 0 to N-1, in a file of its own: NAME-0000i-of-0000N.h5. 0/1 is the whole.",
      discussion: "Default: the place in a Slurm job array (SLURM_ARRAY_TASK_ID), else the whole.",
      valueName: "i/N"))
  var shard: String?

  @Flag(help: "Replace an output that exists already, and any partial one.")
  var overwrite = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      let config = try GenerateConfig(configuration.load())
      let selection =
        try shard.map { try ShardSelection($0) }
        ?? ShardSelection(environment: ProcessInfo.processInfo.environment)
      try GenerateStage.run(config, shard: selection, overwrite: overwrite, console)
    }
  }
}
