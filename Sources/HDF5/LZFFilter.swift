import CHDF5
import Glibc

/// Decompression of h5py's `compression="lzf"` (filter 32000), which HDF5 itself does not have.
///
/// The format of Marc Lehmann's LibLZF: a byte below 32 is followed by one literal more than it says; any other
/// starts with the length of a copy (3 bits, 7 meaning that a byte is added) and its distance (13 bits).
enum LZFFilter {
  /// Makes the filter known to the library.
  static func register() {
    var filter = H5Z_class2_t()
    filter.version = H5Z_CLASS_T_VERS
    filter.id = 32000
    filter.encoder_present = 0
    filter.decoder_present = 1
    filter.filter = { flags, parameterCount, parameters, size, capacity, buffer in
      guard flags & UInt32(chdf5_H5Z_FLAG_REVERSE()) != 0, let buffer, let capacity,
        let source = buffer.pointee
      else { return 0 }
      // The third parameter is the size of a chunk; one byte of input makes at most 88 of output.
      let declared = parameterCount >= 3 ? Int(parameters?[2] ?? 0) : 0
      let limit = 88 * size + 64
      let outputSize = declared > 0 ? min(declared, limit) : limit
      guard let target = malloc(outputSize) else { return 0 }
      let input = UnsafeRawBufferPointer(start: source, count: size)
      let output = UnsafeMutableRawBufferPointer(start: target, count: outputSize)
      guard let count = LZFFilter.decompress(input, into: output) else {
        free(target)
        return 0
      }
      free(source)
      buffer.pointee = target
      capacity.pointee = outputSize
      return count
    }
    H5Zregister(&filter)
  }

  /// Decompresses; nil if the input is no LZF or does not fit.
  static func decompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var position = 0
    var made = 0
    while position < input.count {
      let control = Int(input[position])
      position += 1
      if control < 32 {
        let count = control + 1
        guard count <= input.count - position, count <= output.count - made else { return nil }
        (output.baseAddress! + made).copyMemory(from: input.baseAddress! + position, byteCount: count)
        position += count
        made += count
        continue
      }
      var count = control >> 5
      if count == 7 {
        guard position < input.count else { return nil }
        count += Int(input[position])
        position += 1
      }
      count += 2
      guard position < input.count else { return nil }
      let distance = ((control & 31) << 8 | Int(input[position])) + 1
      position += 1
      guard distance <= made, count <= output.count - made else { return nil }
      // The copy may overlap what it makes.
      for _ in 0..<count {
        output[made] = output[made - distance]
        made += 1
      }
    }
    return made
  }
}
