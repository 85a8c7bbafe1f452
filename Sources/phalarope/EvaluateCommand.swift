import ArgumentParser
import Experiments

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure the errors of a surrogate on a test set.",
    discussion: """
      Without --data the test set of the run is used, and evaluation.json and evaluation.h5 in the run \
      folder are written anew.

        phalarope evaluate runs/burgers-fno
        phalarope evaluate runs/burgers-fno --data data/other.h5 --json
      """)

  @Argument(help: "The run folder.", completion: .directory)
  var runFolder: String

  @Option(help: "Evaluate on all samples of this dataset file instead.", completion: .file())
  var data: String?

  @Option(help: "Evaluate at this many points per axis, by striding through the data.")
  var grid: Int?

  @Flag(help: "Use the checkpoint with the smallest test error instead of the last one.")
  var best = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      try EvaluateStage.run(runFolder, data: data, grid: grid, usesBest: best, console)
    }
  }
}
