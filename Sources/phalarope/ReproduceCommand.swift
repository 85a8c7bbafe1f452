import ArgumentParser
import Experiments

extension ReproductionTable: ExpressibleByArgument {}
extension ReproductionTable.Scale: ExpressibleByArgument {}

struct ReproduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce",
    abstract: "Make a published table anew: data, trainings, and the published numbers beside ours.",
    discussion: """
      Tables: burgers (FNO, modern and of 2020, CNN and XD on 256 to 8192 points), darcy (the same on 85 x 85 points), \
      navier-stokes (FNO-2D and FNO-3D from ten frames to the next, viscosity 1e-3). Rows that were never published, \
      xd-modern-256 to xd-modern-8192, XD with the modern FNO's layers, are done if --only names them. It says first \
      what it will do and about how long that takes; interrupted or killed, the same command goes on where it was.

        phalarope reproduce burgers
        phalarope reproduce burgers --scale paper --only fno-1024,xd-1024 epochs=100
        phalarope reproduce darcy --scale paper --plan

      The settings are those of the shipped configurations. A value that replaces one is recorded in the table; where \
      epochs are, the steps of the learning rate are stretched with them, unless schedule.epochs is given too. Values of \
      the data's configuration are written generate.samples=500.

      The folder, by default reproduce/TABLE-SCALE, gets table.md, table.json, the data, and a run folder for every \
      row, with its report. Rows that are there stay in the table; other settings for them are refused. A row whose \
      training fails is named there with the reason; the others are done, and the exit status is 65.

      The shipped configurations are looked for beside the program; PHALAROPE_CONFIGS in the environment names another \
      folder of them.
      """)

  @Argument(help: "The table: burgers, darcy or navier-stokes.")
  var table: ReproductionTable

  @Argument(
    help: ArgumentHelp("Values for all trainings, as epochs=50, or the data.", valueName: "key=value"))
  var overrides: [String] = []

  @Option(help: "small: within 20 minutes on two cores; paper: the papers' samples, epochs and resolutions.")
  var scale = ReproductionTable.Scale.small

  @Option(help: "The folder of the table.", completion: .directory)
  var output: String?

  @Option(help: ArgumentHelp("Only these rows, as fno-1024,xd-1024.", valueName: "rows"))
  var only: String?

  @Flag(help: "Make the data and these rows anew.")
  var overwrite = false

  @Flag(help: "Say what would be done, and stop.")
  var plan = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      try ReproduceStage.run(
        table, scale: scale, output: output,
        rows: only?.split(separator: ",").map { String($0.filter { $0 != " " }) } ?? [],
        overrides: overrides, overwrite: overwrite, onlyPlans: plan, console)
    }
  }
}
