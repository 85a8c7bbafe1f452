import ArgumentParser
import Experiments

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Show versions, processor, threads and libraries.",
    discussion: """
      What to paste into a bug report.

      The kernels take the best instructions that the processor has (avx512, avx2 or baseline). \
      PHALAROPE_INSTRUCTIONS=avx2 or =baseline in the environment lets all verbs use no more than that: to \
      compare results with those of an older processor.

        phalarope doctor
        phalarope doctor --json > machine.json
      """)

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in try DoctorStage.run(console) }
  }
}
