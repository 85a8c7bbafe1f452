import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct PoolingTests {
  @Test func largestValuesAndMeansByHand() {
    let u = Variable(Tensor<Float>(shape: [1, 1, 3, 3], scalars: [1, 5, -3, 2, 0, -4, 7, 6, -9]))
    let largest = pooling(u, .maximum).value
    #expect(largest.shape == [1, 1, 2, 2] && largest.scalars == [5, -3, 7, -9])
    #expect(pooling(u, .average).value.scalars == [2, -3.5, 6.5, -9])
    #expect(pooling(u, .maximum, factor: 3).value.scalars == [7])
    #expect(pooling(u, .average, factor: 1).value == u.value)
  }

  @Test func repeatedValuesByHand() {
    let u = Variable(Tensor<Float>(shape: [1, 2, 2], scalars: [1, 2, 3, 4]))
    #expect(upsampling(u, to: [3]).value == Tensor(shape: [1, 2, 3], scalars: [1, 1, 2, 3, 3, 4]))
    #expect(
      upsampling(u, to: [5], factor: 3).value
        == Tensor(shape: [1, 2, 5], scalars: [1, 1, 1, 2, 2, 3, 3, 3, 4, 4]))
    // The mean of repeated values is the value.
    let v = Variable(randomTensor([2, 3, 4, 3], sample: 1))
    #expect(pooling(upsampling(v, to: [7, 6]), .average).value == v.value)
  }

  @Test func joinedChannels() {
    let (u, v) = (randomTensor([2, 1, 3], sample: 1), randomTensor([2, 2, 3], sample: 2))
    let joined = joinChannels(Variable(u), Variable(v)).value
    #expect(joined.shape == [2, 3, 3])
    #expect(Array(joined.scalars[..<9]) == Array(u.scalars[..<3]) + Array(v.scalars[..<6]))
    #expect(Array(joined.scalars[9...]) == Array(u.scalars[3...]) + Array(v.scalars[6...]))
  }

  /// Linear, or linear as long as no other value becomes the largest: far apart ones, moved by 1e-3.
  @Test(arguments: [[7], [4, 5], [3, 4, 5]]) func gradients(grid: Shape) {
    let u = Parameter(randomTensor([2, 3] + grid, sample: 1))
    let v = Parameter(randomTensor([2, 2] + grid, sample: 2))
    let coarse = Parameter(randomTensor([2, 3] + grid.map { ($0 + 1) / 2 }, sample: 3))
    let linear =
      gradientDisagreements([u], step: 0.5) { pooling($0(u), .average) }
      + gradientDisagreements([u], step: 0.5) { pooling($0(u), .average, factor: 3) }
      + gradientDisagreements([coarse], step: 0.5) { upsampling($0(coarse), to: grid) }
      + gradientDisagreements([u, v], step: 0.5) { joinChannels($0(u), $0(v)) }
    #expect(linear.allSatisfy { $0 < 1e-4 }, "\(linear)")
    // Differences of 1e-3 in single precision.
    let count = u.value.count
    let apart = Parameter(
      Tensor(
        shape: u.value.shape, scalars: (0..<count).map { 4 * Float($0 * 97 % count) / Float(count) - 2 }))
    let largest = gradientDisagreements([apart], step: 1e-3) { pooling($0(apart), .maximum) }
    #expect(largest.allSatisfy { $0 < 3e-3 }, "\(largest)")
  }
}
