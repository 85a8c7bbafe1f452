import NeuralOperators
import Testing

/// Residual networks and U-nets against those of PyTorch in `Tests/Golden/networks.py`.
@Suite struct NetworkGoldenTests {
  private static func network(
    _ kernel: [Int], width: Int = 4, _ change: (inout CNN.Configuration) -> Void
  ) -> CNN.Configuration {
    var configuration = CNN.Configuration(
      dimensions: kernel.count, width: width, kernel: kernel, layers: 2, projectionWidth: 8,
      activation: .gelu,
      normalization: .none)
    change(&configuration)
    return configuration
  }

  static let cases: [(String, ModelConfiguration)] = [
    ("resnet-1d", .resNet(network([5]) { ($0.normalization, $0.activation) = (.batch, .relu) })),
    (
      "resnet-2d",
      .resNet(network([3, 3]) { ($0.paddingMode, $0.dilation, $0.groups) = (.zeros, 2, 2) })
    ),
    ("unet-1d", .uNet(network([3]) { ($0.normalization, $0.coordinates) = (.batch, .periodic) })),
    (
      "unet-2d",
      .uNet(network([3, 3], width: 2) { ($0.paddingMode, $0.downsampling) = (.zeros, .average) })
    ),
    (
      "unet-convolutional-2d",
      .uNet(network([3, 3], width: 2) { ($0.downsampling, $0.upsampling) = (.strided, .transposed) })
    ),
  ]

  /// Output, loss, every gradient, the losses of ten steps, and the output after them.
  @Test(arguments: cases)
  func agreesWithPyTorch(name: String, configuration: ModelConfiguration) throws {
    try GoldenModel("Networks/\(name)", configuration, .plain).expectAgreement()
  }
}
