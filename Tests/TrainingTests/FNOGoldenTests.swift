import Autodiff
import NeuralOperators
import Testing
import Training

@Suite struct FNOGoldenTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let layout: WeightLayout
    var configuration: ModelConfiguration
    var loss = FieldLossKind.relativeL2
    var testDescription: String { name }

    init(
      _ name: String, _ layout: WeightLayout, channels: Int, width: Int, modes: [Int], padding: [Int]? = nil
    ) {
      self.name = name
      self.layout = layout
      let dimensions = modes.count
      var configuration: FNO.Configuration =
        switch (layout, padding) {
        case (.fno2020, nil):
          .fno2020(dimensions: dimensions, inputChannels: channels, width: width, modes: 1)
        case (.fno2020, _): .modern(dimensions: dimensions, inputChannels: channels, width: width, modes: 1)
        case (.neuralop, _), (.plain, _):
          .neuraloperator(dimensions: dimensions, inputChannels: channels, width: width, modes: 1)
        }
      configuration.modes = modes
      if layout == .fno2020 { configuration.projectionWidth = 16 }
      if let padding { configuration.padding = padding }
      self.configuration = .fno(configuration)
    }

    /// The same model frame by frame.
    func recurrent(frames: Int) -> Case {
      var result = self
      result.configuration = .recurrent(.init(step: configuration, frames: frames))
      result.loss = .relativeL2ByChannel
      return result
    }

    /// The same model with time as its last axis.
    func spaceTime(frames: Int) -> Case {
      var result = self
      result.configuration = .spaceTime(.init(model: configuration, frames: frames))
      return result
    }
  }

  /// neuraloperator's block with other choices than its own.
  private static func block(_ name: String, _ choose: (inout FNO.Configuration) -> Void) -> Case {
    var result = Case("neuralop-\(name)", .neuralop, channels: 1, width: 4, modes: [3, 3])
    if case .fno(var configuration) = result.configuration {
      choose(&configuration)
      result.configuration = .fno(configuration)
    }
    return result
  }

  static let cases = [
    Case("fno2020-1d", .fno2020, channels: 1, width: 8, modes: [4]),
    Case("fno2020-2d", .fno2020, channels: 2, width: 6, modes: [3, 2]),
    Case("fno2020-3d", .fno2020, channels: 2, width: 4, modes: [2, 1, 2]),
    Case("modern-1d", .fno2020, channels: 1, width: 8, modes: [4], padding: [3]),
    Case("modern-2d", .fno2020, channels: 2, width: 6, modes: [3, 2], padding: [3, 2]),
    Case("modern-3d", .fno2020, channels: 2, width: 4, modes: [2, 1, 2], padding: [0, 0, 3]),
    Case("neuralop-1d", .neuralop, channels: 1, width: 8, modes: [5]),
    Case("neuralop-2d", .neuralop, channels: 2, width: 6, modes: [3, 3]),
    Case("neuralop-3d", .neuralop, channels: 1, width: 4, modes: [2, 1, 3]),
    block("gating") { ($0.skip, $0.mixingSkip) = (.softGating, .linear) },
    block("identity") { ($0.skip, $0.mixingSkip) = (.identity, SkipConnection.Kind.none) },
    block("none") { ($0.skip, $0.mixingSkip) = (SkipConnection.Kind.none, .identity) },
    block("unmixed") { ($0.mixingWidth, $0.liftingWidth, $0.activatesTwice) = (nil, nil, true) },
    block("relu") { $0.activation = .relu },
    Case("recurrent-2d", .fno2020, channels: 3, width: 6, modes: [3, 2]).recurrent(frames: 4),
    Case("space-time-2d", .fno2020, channels: 3, width: 4, modes: [2, 1, 2]).spaceTime(frames: 5),
  ]

  /// Output, loss, every gradient, the losses of ten steps, and the output after them.
  @Test(arguments: cases)
  func agreesWithPyTorch(_ golden: Case) throws {
    try GoldenModel("FNO/\(golden.name)", golden.configuration, golden.layout).expectAgreement(golden.loss)
  }
}
