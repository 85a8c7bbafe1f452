import ArgumentParser
import Experiments

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what is in a dataset file or a run folder.",
    discussion: """
      For a dataset: equation, fields, shapes, axes, units, statistics and where it comes from. For a run: \
      how it stands, its model, its data and its errors.

        phalarope inspect data/burgers.h5
        phalarope inspect runs/burgers-fno --json
      """)

  @Argument(help: "A dataset file or a run folder.", completion: .file())
  var path: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in try InspectStage.run(path, console) }
  }
}
