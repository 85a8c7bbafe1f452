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

      --against compares two runs with the same test samples: their errors, and after how many epochs and \
      seconds of training each first had the error that the other run ended with. So one sees what beginning \
      with the weights of another run (train … initial_weights=RUN) was worth.

        phalarope evaluate runs/transferred --against runs/from-scratch
      """)

  @Argument(help: "The run folder.", completion: .directory)
  var runFolder: String

  @Option(help: "Compare with this run, which has the same test samples.", completion: .directory)
  var against: String?

  @Option(help: "Evaluate on all samples of this dataset file instead.", completion: .file())
  var data: String?

  @Option(help: "Evaluate at this many points per axis, by striding through the data.")
  var grid: Int?

  @Flag(help: "Use the checkpoint with the smallest test error instead of the last one.")
  var best = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if against != nil, data != nil || grid != nil || best {
      throw ValidationError(
        "--against compares on the runs' own test samples: leave out --data, --grid, --best")
    }
  }

  func run() throws {
    try common.run { console in
      try EvaluateStage.run(
        runFolder, against: against, data: data, grid: grid, usesBest: best, console)
    }
  }
}
