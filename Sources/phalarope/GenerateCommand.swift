import ArgumentParser
import Experiments

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Draw inputs, solve the equation for each, write one dataset file.",
    discussion: """
      Sample i depends on the configuration, the seed and i alone. An interrupted generation continues when \
      the same command is given again; until it is complete the file is called NAME.partial.

        phalarope generate configs/burgers.yaml
        phalarope generate configs/darcy.yaml samples=100 output=data/small.h5

      The file opens in h5py, xarray and The Well's loader, and with the .xmf file beside it in ParaView.
      """)

  @OptionGroup var configuration: ConfigurationArguments

  @Flag(help: "Replace an output that exists already, and any partial one.")
  var overwrite = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      let config = try GenerateConfig(configuration.load())
      try GenerateStage.run(config, overwrite: overwrite, console)
    }
  }
}
