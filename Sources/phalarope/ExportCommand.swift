import ArgumentParser
import Experiments
import NeuralOperators

extension WeightLayout: ExpressibleByArgument {}

struct ExportCommand: ParsableCommand {
  /// The formats of a file of weights.
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case safetensors
  }

  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write the weights of a surrogate for PyTorch.",
    discussion: """
      The file loads into neuralop.models.FNO of neuraloperator 2.0, into a model with the names of the original code \
      (fno2020), or into one with the names of our parts (plain, for residual networks and U-nets); its metadata hold \
      the constructor's arguments and the normalizers.

        phalarope export runs/darcy-fno
        phalarope export runs/darcy-fno --layout neuralop --output darcy.safetensors
      """)

  @Argument(help: "The run folder.", completion: .directory)
  var runFolder: String

  @Option(help: "The names and shapes to use (default: those that the model has).")
  var layout: WeightLayout?

  @Option(help: "The format of the file.")
  var format = Format.safetensors

  @Option(
    help: "The file to write (default: weights-LAYOUT.safetensors in the run folder).", completion: .file())
  var output: String?

  @Flag(help: "Use the checkpoint with the smallest test error instead of the last one.")
  var best = false

  @Flag(help: "Replace an output that exists already.")
  var overwrite = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      try ExportStage.run(
        runFolder, layout: layout, output: output, usesBest: best, overwrite: overwrite, console)
    }
  }
}
