import ArgumentParser
import Experiments
import NeuralOperators

struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Make a run folder of weights from PyTorch.",
    discussion: """
      A file that 'export' wrote says what it is. For another, name the training configuration that its model \
      has, with the data that it is for; arrays that are missing, unknown or of another shape are all listed.

        phalarope import darcy.safetensors --layout neuralop --output runs/darcy
        phalarope import theirs.safetensors --layout fno2020 --config fno2020/darcy-fno --output runs/theirs
      """)

  @Argument(help: "The safetensors file.", completion: .file(extensions: ["safetensors"]))
  var weights: String

  @Argument(
    help: ArgumentHelp("Values that replace those of the configuration.", valueName: "key=value"))
  var overrides: [String] = []

  @Option(help: "The names and shapes that the file has.")
  var layout: WeightLayout

  @Option(help: "The run folder to make.", completion: .directory)
  var output: String

  @Option(help: "The training configuration of the model.", completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @Flag(help: "Replace an output that exists already.")
  var overwrite = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      try ImportStage.run(
        weights, layout: layout, output: output, configuration: config, overrides: overrides,
        overwrite: overwrite, console)
    }
  }
}
