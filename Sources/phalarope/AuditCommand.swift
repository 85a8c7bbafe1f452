import ArgumentParser
import Experiments

struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Check the integrity and the physics of a dataset file.",
    discussion: """
      Reads every sample: checksums, numbers that are not finite, axes, duplicates, outliers, boundary values, \
      the maximum principle, conservation, the law of the inputs. Solves some samples again, from stored frame \
      to stored frame, and fits the parameter of the equation to the data. A second file is searched for inputs \
      of the first. Ends with status 65 if a check fails.

        phalarope audit data/burgers.h5
        phalarope audit data/train.h5 data/test.h5 --json
        phalarope audit burgers.mat --equation burgers --set viscosity=0.1 --set times=0,1
      """)

  @Argument(help: "The dataset file.", completion: .file())
  var file: String

  @Argument(help: "A file that must share no input with it, as a test set.", completion: .file())
  var other: String?

  @Option(help: "The equation, for a file that does not say: burgers, darcy or navier-stokes.")
  var equation: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "What the file does not state, as viscosity=0.1, times=0,1, length=1, grid=1024, prior.tau=7.",
      valueName: "key=value"))
  var settings: [String] = []

  @Option(help: "Solve this many samples again (default: as many as hold 16 million numbers).")
  var samples: Int?

  @Flag(help: "Solve every sample again.")
  var all = false

  @Option(help: "The seed of the choice of the samples that are solved again.")
  var seed: UInt64 = 0

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let samples, samples < 1 { throw ValidationError("--samples is \(samples); it must be at least 1") }
    if samples != nil && all { throw ValidationError("--samples and --all exclude each other") }
    if let wrong = settings.first(where: { !$0.contains("=") }) {
      throw ValidationError("--set is \(wrong); write key=value")
    }
  }

  func run() throws {
    try common.run { console in
      try AuditStage.run(
        AuditStage.Request(
          path: file, other: other, equation: equation, settings: settings, samples: all ? .max : samples,
          seed: seed), console)
    }
  }
}
