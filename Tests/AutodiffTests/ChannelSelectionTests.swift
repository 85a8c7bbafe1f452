import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct ChannelSelectionTests {
  private let selection = [(0, 1), (1, 0), (0, 1), (1, 2)].map { ChannelPlace(source: $0.0, channel: $0.1) }

  @Test func takesTheChannelsInOrder() {
    let (u, v) = (randomTensor([2, 2, 3, 4], sample: 1), randomTensor([2, 3, 3, 4], sample: 2))
    let result = selectChannels([Variable(u), Variable(v)], selection).value
    #expect(result.shape == [2, 4, 3, 4])
    for (position, place) in selection.enumerated() {
      let source = place.source == 0 ? u : v
      for sample in 0..<2 {
        for i in 0..<3 {
          for j in 0..<4 {
            #expect(result[sample, position, i, j] == source[sample, place.channel, i, j])
          }
        }
      }
    }
  }

  /// A channel that is taken twice gets both gradients, one that is not taken none.
  @Test func gradient() {
    let u = Parameter(randomTensor([2, 2, 3, 4], sample: 1))
    let v = Parameter(randomTensor([2, 3, 3, 4], sample: 2))
    let errors = gradientDisagreements([u, v]) { selectChannels([$0(u), $0(v)], selection) }
    #expect(errors.allSatisfy { $0 < 1e-4 }, "\(errors)")  // linear: rounding over a step of 1e-2
  }
}
