import ArgumentParser
import Experiments

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Show versions, processor, threads and libraries.",
    discussion: """
      What to paste into a bug report.

        phalarope doctor
        phalarope doctor --json > machine.json
      """)

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in try DoctorStage.run(console) }
  }
}
