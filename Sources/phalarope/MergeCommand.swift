import ArgumentParser
import Experiments

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Join the shards of a dataset into one file.",
    discussion: """
      All shards of a dataset are needed, in any order, made with the same configuration, seed and version. \
      The result has the same bits as a file generated at once, and is compressed as the shards are. An \
      interrupted merge continues when the same command is given again. The shards stay as they are.

        phalarope merge data/darcy-*-of-00064.h5 --output data/darcy.h5
      """)

  @Argument(help: "The files that 'generate --shard i/N' wrote.", completion: .file())
  var files: [String]

  @Option(help: "The dataset file to write.", completion: .file())
  var output: String

  @Flag(help: "Replace an output that exists already, and any partial one.")
  var overwrite = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      try MergeStage.run(files, output: output, overwrite: overwrite, console)
    }
  }
}
