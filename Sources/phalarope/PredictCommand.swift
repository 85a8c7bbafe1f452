import ArgumentParser
import Experiments

struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Apply a surrogate to the inputs of a dataset.",
    discussion: """
      Writes a dataset file in the same layout: the inputs as they are, and the predicted fields.

        phalarope predict runs/darcy-fno --input data/darcy.h5 --output data/out.h5
      """)

  @Argument(help: "The run folder.", completion: .directory)
  var runFolder: String

  @Option(help: "The dataset file with the inputs.", completion: .file())
  var input: String

  @Option(help: "The dataset file to write.", completion: .file())
  var output: String

  @Flag(help: "Use the checkpoint with the smallest test error instead of the last one.")
  var best = false

  @Flag(help: "Replace an output that exists already.")
  var overwrite = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      try PredictStage.run(
        runFolder, input: input, output: output, overwrite: overwrite, usesBest: best, console)
    }
  }
}
