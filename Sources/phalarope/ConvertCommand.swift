import ArgumentParser
import Datasets
import Experiments

extension FileLayout: ExpressibleByArgument {
  /// The layouts that can be written.
  public static var allValueStrings: [String] { writable.map(\.rawValue) }
}

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write a dataset in another layout.",
    discussion: """
      Reads MATLAB files (version 5 and 7.3, as those of the FNO paper), PDEBench's layouts, The Well's, \
      neuraloperator's .pt and numpy's .npz and .npy; which it is, is seen from the content. The layout of OUT \
      follows from its ending (.h5, .hdf5: well; .pt: neuralop; .npz: npz) unless --to names it. No number changes: \
      types are kept. Files larger than the memory are read in parts.

        phalarope convert ns_V1e-3_N5000_T50.mat ns.h5 equation.kind=navier-stokes equation.viscosity=1e-3 length=1
        phalarope convert burgers_data_R10.mat burgers.h5 equation.kind=burgers times=0,1 length=6.283185307179586
        phalarope convert data/darcy.h5 darcy.pt
        phalarope convert data/burgers.h5 burgers.hdf5 --to pdebench

      What the input does not say can be given behind the names:

        equation.kind=KIND     the fields are those of an equation that 'generate' knows, and are named so: a state
                               at t = 0 and later ones become one field; its axes are periodic or bounded
        equation.NAME=NUMBER   a parameter, as equation.viscosity=0.1
        length=NUMBER          the length of the axes, or of one of them: length.x=2
        periodic=true|false    whether the axes are periodic, or one of them: periodic.y=false
        times=0,1 | FIRST:LAST the times of the frames, all of them or equally spaced
        fields.OLD=NEW         another name for a field
        time_axis=first|last|none
                               where the time axis of the fields with most axes is (first: after the samples)
        name=WORD, title=TEXT  what the dataset is called
      """)

  @Argument(help: ArgumentHelp("The dataset to read.", valueName: "in"), completion: .file())
  var input: String

  @Argument(help: ArgumentHelp("The file to write.", valueName: "out"), completion: .file())
  var output: String

  @Argument(help: ArgumentHelp("What the input does not say (see above).", valueName: "key=value"))
  var settings: [String] = []

  @Option(help: "The layout of the output.")
  var to: FileLayout?

  @Flag(help: "Replace an output that exists already.")
  var overwrite = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      try ConvertStage.run(
        input, to: output, layout: to, settings: settings, overwrite: overwrite, console)
    }
  }
}
