import CKernels
import TestSupport
import Testing

/// Kernels that bring modes from one order into another.
@Suite struct ModeKernelsTests {
  /// The modes n of an axis and m of the last one, the channels, and the samples of a batch: squares of whole vectors and what
  /// is left over, and fewer than a square has.
  static let sizes = [(12, 12, 20), (3, 8, 16), (5, 9, 33), (1, 8, 17), (2, 3, 20), (4, 11, 5)].flatMap {
    size in
    [1, 3].map { (size.0, size.1, size.2, $0) }
  }

  private func noise(_ count: Int, _ sample: Int) -> [Float] { randomTensor([count], sample: sample).scalars }

  @Test(arguments: sizes) func scatterUnfoldedIsBothInTurn(n: Int, m: Int, channels: Int, samples: Int) {
    let (sums, modes) = (2 * (2 * n + 1) * m, 2 * n * m)
    let stride = 2 * channels * samples
    let source = noise(channels * sums, 1)
    var unfolded = [Float](repeating: 0, count: channels * 2 * modes)
    for channel in 0..<channels {
      unfolded.withUnsafeMutableBufferPointer { target in
        source.withUnsafeBufferPointer {
          ck_unfold_axis(
            n, m, $0.baseAddress! + channel * sums, target.baseAddress! + channel * 2 * modes)
        }
      }
    }
    // The modes of sample 1 are left alone.
    var plain = noise(modes * stride, 2)
    var fused = plain
    for sample in 0..<samples where sample != 1 {
      plain.withUnsafeMutableBufferPointer {
        ck_scatter_modes(modes, channels, unfolded, stride, $0.baseAddress! + sample * 2 * channels)
      }
      fused.withUnsafeMutableBufferPointer {
        ck_scatter_unfolded(
          n, m, channels, source, sums, stride, $0.baseAddress! + sample * 2 * channels)
      }
    }
    #expect(fused == plain)
  }

  @Test(arguments: sizes) func gatherFoldedIsBothInTurn(n: Int, m: Int, channels: Int, samples: Int) {
    let (sums, modes) = (2 * (2 * n + 1) * m, 2 * n * m)
    let stride = 2 * channels * samples
    let source = noise(modes * stride, 3)
    let sample = samples - 1
    // Room behind every channel's sums, which is left alone.
    var plain = [Float](repeating: 7, count: channels * (sums + 5))
    var fused = plain
    var gathered = [Float](repeating: 0, count: channels * 2 * modes)
    source.withUnsafeBufferPointer { source in
      let source = source.baseAddress! + sample * 2 * channels
      ck_gather_modes(modes, channels, source, stride, channels, &gathered)
      ck_gather_folded(n, m, channels, source, stride, channels, &fused, sums + 5)
      // Some channels alone are the same.
      let (first, count) = (channels / 3, channels / 2)
      var some = [Float](repeating: 7, count: count * (sums + 5))
      ck_gather_folded(n, m, count, source + first, stride, channels, &some, sums + 5)
      #expect(some[...] == fused[first * (sums + 5)..<(first + count) * (sums + 5)])
      some = [Float](repeating: 0, count: count * 2 * modes)
      ck_gather_modes(modes, count, source + first, stride, channels, &some)
      #expect(some[...] == gathered[first * 2 * modes..<(first + count) * 2 * modes])
    }
    for channel in 0..<channels {
      plain.withUnsafeMutableBufferPointer { target in
        gathered.withUnsafeBufferPointer {
          ck_fold_axis(
            n, m, $0.baseAddress! + channel * 2 * modes, target.baseAddress! + channel * (sums + 5))
        }
      }
    }
    #expect(fused == plain)
  }
}
