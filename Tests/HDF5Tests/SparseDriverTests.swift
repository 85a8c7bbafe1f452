import Glibc
import HDF5
import TestSupport
import Testing

@Suite struct SparseDriverTests {
  /// The bytes that a file has, and those that the disk keeps for it.
  private func sizes(_ path: String) -> (length: Int, onDisk: Int) {
    var status = stat()
    #expect(stat(path, &status) == 0)
    return (Int(status.st_size), 512 * Int(status.st_blocks))
  }

  private let shape = [8, 512, 512]
  private let layout = HDF5Layout(chunks: [1, 512, 512], hasChecksums: true, isAllocatedEarly: true)

  @Test func zerosAreHolesUntilSpaceIsReserved() throws {
    try withTemporaryFolder { folder in
      let (sparse, plain) = ("\(folder)/sparse.h5", "\(folder)/plain.h5")
      for path in [sparse, plain] {
        let file = try HDF5File(creating: path, sparse: path == sparse)
        let dataset = try file.root.createDataset("zeros", of: Float.self, shape: shape, layout: layout)
        // What is no zero is written, and what is written twice.
        var filled = layout
        filled.fillValue = 2
        _ = try file.root.createDataset("twos", of: Float.self, shape: shape, layout: filled)
        let one = HDF5Slab(start: [3, 0, 0], count: [1, 512, 512])
        try dataset.write([Float](repeating: 1, count: 512 * 512), one)
        try dataset.write([Float](repeating: 0, count: 512 * 512), one)
        try file.close()
      }
      #expect(sizes(sparse).length == sizes(plain).length)
      // Of 16 chunks of a megabyte the eight of twos and one that was written.
      #expect(sizes(sparse).onDisk < 10 << 20 && sizes(plain).onDisk > 16 << 20)

      let file = try HDF5File(opening: sparse, writable: true)
      #expect(try file.root.dataset("zeros").read(as: Float.self).allSatisfy { $0 == 0 })
      #expect(try file.root.dataset("twos").read(as: Float.self).allSatisfy { $0 == 2 })
      try file.reserveSpace()
      #expect(sizes(sparse).onDisk >= sizes(sparse).length)
      #expect(try file.root.dataset("zeros").read(as: Float.self).allSatisfy { $0 == 0 })
      try file.root.dataset("zeros").write([Float](repeating: 3, count: 8 * 512 * 512))
      try file.close()
      let values = try HDF5File(opening: sparse).root.dataset("zeros").read(as: Float.self)
      #expect(values.allSatisfy { $0 == 3 })
    }
  }
}
