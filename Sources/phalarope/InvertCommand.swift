import ArgumentParser
import Experiments

struct InvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "invert",
    abstract: "Recover an initial state or a coefficient from few noisy observations.",
    discussion: """
      Samples the posterior by Markov chains whose forward map is a trained surrogate or the classical \
      solver, and writes posterior.nc, which arviz.from_netcdf opens. Ctrl-C stops after writing a \
      checkpoint; --resume continues.

        phalarope invert configs/inverse-navier-stokes.yaml
        phalarope invert configs/inverse-navier-stokes.yaml surrogate=solver
        phalarope invert quickstart/inverse-darcy
      """)

  @OptionGroup var configuration: ConfigurationArguments
  @OptionGroup var outputPolicy: OutputPolicy
  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.run { console in
      let config = try InvertConfig(configuration.load())
      try InvertStage.run(config, policy: outputPolicy.policy, console)
    }
  }
}
