import CHDF5
import Glibc

/// A driver of HDF5 for new files that leaves holes where there are only zeros.
///
/// HDF5 fills the space of a dataset with filters, of which checksums are one, as soon as it takes it, whatever it is
/// told about fill values: every byte of a large dataset would go to the disk twice. This is HDF5's own driver for
/// files, but zeros that lie beyond the end of the file are not written: what the file is extended by later reads as
/// zeros all the same.
enum SparseDriver {
  /// HDF5's own driver, and the number of this one, for `H5Pset_driver`; nil if the library does not tell what its own
  /// driver is made of.
  nonisolated(unsafe) private static let drivers: (plain: H5FD_class_t, number: hid_t)? = {
    // Any file shows the driver that opened it.
    guard let file = H5FDopen("/dev/null", chdf5_H5F_ACC_RDONLY(), chdf5_H5P_DEFAULT(), chdf5_HADDR_UNDEF())
    else { return nil }
    let plain = file.pointee.cls.pointee
    H5FDclose(file)
    var driver = plain
    chdf5_name_driver(&driver, name.utf8Start)
    driver.write = { file, kind, transfer, address, count, bytes in
      SparseDriver.write(file, kind, transfer, address, count, bytes)
    }
    return (plain, H5FDregister(&driver))
  }()
  private static let name: StaticString = "sparse"

  /// The number of the driver, or nil if there is none; to be called under the library's lock.
  static var number: hid_t? { drivers.flatMap { $0.number >= 0 ? $0.number : nil } }

  private static func write(
    _ file: UnsafeMutablePointer<H5FD_t>?, _ kind: H5FD_mem_t, _ transfer: hid_t, _ address: haddr_t,
    _ count: Int, _ bytes: UnsafeRawPointer?
  ) -> herr_t {
    guard let plain = drivers?.plain else { return -1 }
    if let bytes, address >= plain.get_eof(file, kind), isZero(bytes, count) { return 0 }
    return plain.write(file, kind, transfer, address, count, bytes)
  }

  /// Whether all bytes are zero: the first is, and every other equals the one before it.
  private static func isZero(_ bytes: UnsafeRawPointer, _ count: Int) -> Bool {
    count == 0 || bytes.load(as: UInt8.self) == 0 && memcmp(bytes, bytes + 1, count - 1) == 0
  }
}
