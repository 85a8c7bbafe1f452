import ArgumentParser
import Experiments

/// The command: parses arguments and calls a stage of `Experiments`.
struct Phalarope: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: Version.name,
    abstract: "Neural operators for partial differential equations: data, training, inversion.",
    discussion: """
      A configuration is a YAML file; any of its values can be replaced on the command line, nested keys \
      with dots:

        phalarope generate configs/quickstart/burgers.yaml
        phalarope train configs/quickstart/burgers-fno.yaml model.width=32 epochs=50
        phalarope report runs/quickstart/burgers-fno

      Shipped configurations are found by name from any folder:
      \(ShippedConfigs.names.joined(separator: ", ")).

      Exit status: 0 done; 64 wrong usage or configuration; 65 wrong content of a file; 66 a file is missing; \
      70 a defect of the tool; 73 an output exists or cannot be created; 74 writing failed; 130 and 143 \
      interrupted.
      """,
    version: "\(Version.name) \(Version.number)",
    subcommands: [
      GenerateCommand.self, MergeCommand.self, InspectCommand.self, AuditCommand.self, ConvertCommand.self,
      TrainCommand.self,
      EvaluateCommand.self,
      PredictCommand.self, InvertCommand.self, ExportCommand.self, ImportCommand.self, ReportCommand.self,
      ReproduceCommand.self, BenchCommand.self, DoctorCommand.self,
    ])
}

@main
enum Main {
  static func main() {
    Runtime.prepare()
    do {
      var command = try Phalarope.parseAsRoot()
      try command.run()
    } catch {
      Phalarope.exit(withError: error)
    }
  }
}
