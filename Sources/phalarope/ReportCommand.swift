import ArgumentParser
import Experiments

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write one HTML page with the figures and tables of a run.",
    discussion: """
      The page is self-contained; the figures are also written to figures/ as PNG and SVG, with the numbers \
      of each as CSV.

        phalarope report runs/burgers-fno
      """)

  @Argument(help: "The run folder.", completion: .directory)
  var runFolder: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in try ReportStage.run(runFolder, console) }
  }
}
