/// The checksum that HDF5 puts behind every chunk of a dataset that has them, in four bytes, the lowest first.
///
/// Fletcher's sums modulo 65,535 over the chunk as 16-bit numbers, the higher byte first: of all numbers in the lower
/// half, of those sums from the first number up to every other in the upper half. A sum is 65,535 instead of 0
/// unless all numbers are 0.
///
/// Reference: J. G. Fletcher, IEEE Transactions on Communications 30 (1982), 247-252; the HDF5 file format
/// specification, "Fletcher32".
public enum Fletcher32 {
  /// Numbers side by side in the registers.
  private typealias Lanes = SIMD16<UInt32>

  /// Steps of all lanes between two reductions: a lane's sum of sums comes to 65,535 · 360 · 361 / 2 < 2³² at most.
  private static let stepsPerBlock = 360

  /// The checksum of some bytes, of which there is an even number.
  public static func checksum(of bytes: UnsafeRawBufferPointer) -> UInt32 {
    precondition(bytes.count.isMultiple(of: 2), "a chunk of \(bytes.count) bytes")
    var (sum, sumOfSums) = (UInt64(0), UInt64(0))
    let count = bytes.count / 2
    let lanes = Lanes.scalarCount
    var place = 0
    // By blocks: every lane sums up every sixteenth number, and its sums.
    while count - place >= lanes {
      let steps = min(stepsPerBlock, (count - place) / lanes)
      var (sums, sumsOfSums) = (Lanes.zero, Lanes.zero)
      for step in 0..<steps {
        let numbers = bytes.loadUnaligned(
          fromByteOffset: 2 * (place + step * lanes), as: SIMD16<UInt16>.self)
        sums &+= Lanes(truncatingIfNeeded: numbers)
        sumsOfSums &+= sums
      }
      // A lane's k-th number from behind counts `lanes` k times for the block, less one for every lane before it.
      sumOfSums += UInt64(steps * lanes) * sum
      for lane in 0..<lanes {
        sumOfSums += UInt64(lanes) * UInt64(sumsOfSums[lane]) - UInt64(lane) * UInt64(sums[lane])
        sum += UInt64(sums[lane])
      }
      (sum, sumOfSums) = (reduced(sum), reduced(sumOfSums))
      place += steps * lanes
    }
    while place < count {
      sum += UInt64(bytes.loadUnaligned(fromByteOffset: 2 * place, as: UInt16.self))
      sumOfSums += sum
      place += 1
    }
    return swapped(reduced(sumOfSums)) << 16 | swapped(reduced(sum))
  }

  /// The rest modulo 65,535, which stands for 0 unless the sum is 0.
  private static func reduced(_ sum: UInt64) -> UInt64 { sum == 0 ? 0 : (sum - 1) % 65_535 + 1 }

  /// The sum of numbers whose bytes are the other way round: modulo 65,535 that is times 256, a rotation.
  private static func swapped(_ sum: UInt64) -> UInt32 { UInt32(UInt16(sum).byteSwapped) }
}
