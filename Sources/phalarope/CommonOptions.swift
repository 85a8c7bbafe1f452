import ArgumentParser
import Experiments

/// The flags that every verb has, and what they mean for its run.
struct CommonOptions: ParsableArguments {
  @Flag(help: "Print one JSON document on standard output.")
  var json = false

  @Flag(help: "Show no progress and no notes.")
  var quiet = false

  @Option(help: "Use this many threads (default: all processors). Results do not depend on it.")
  var threads: Int?

  func validate() throws {
    if let complaint = Runtime.complaint { throw ValidationError(complaint) }
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads is \(threads); it must be between 1 and 1024")
    }
  }

  /// Runs a verb: sets the threads, listens to signals, and turns what is thrown into a message and status.
  func run(_ body: (Console) throws -> Void) throws {
    let console = Console(isQuiet: quiet, isJSON: json)
    if let threads { Runtime.threadCount = threads }
    Interruption.listen()
    do {
      try body(console)
    } catch is AuditFailure {
      // The findings have been printed: they are the result.
      throw ExitCode(ExitStatus.badData.rawValue)
    } catch {
      let failure = Failure(error)
      console.error(failure.message)
      throw ExitCode(failure.status.rawValue)
    }
  }
}

/// The configuration of a verb: a file and replacements for some of its values.
struct ConfigurationArguments: ParsableArguments {
  @Argument(
    help: "The configuration file (YAML), or the name of a shipped one, as fno2020/darcy.",
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String

  @Argument(
    help: ArgumentHelp(
      "Values that replace those of the file, as model.width=32.", valueName: "key=value"))
  var overrides: [String] = []

  /// The configuration with its replacements.
  func load() throws -> ConfigSection {
    try ConfigSection(contentsOf: ShippedConfigs.path(of: config), overrides: overrides)
  }
}

/// What to do with an output that exists.
struct OutputPolicy: ParsableArguments {
  @Flag(help: "Replace an output that exists already.")
  var overwrite = false

  @Flag(help: "Continue an interrupted run.")
  var resume = false

  func validate() throws {
    if overwrite && resume { throw ValidationError("--overwrite and --resume exclude each other") }
  }

  var policy: RunFolder.Policy { resume ? .resume : overwrite ? .overwrite : .create }
}
