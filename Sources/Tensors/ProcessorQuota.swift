import Glibc

/// How much processor time the system grants this process, where that is less than all processors have.
///
/// `docker run --cpus`, a pod's limit, `CPUQuota` of a service. Threads beyond it would be stopped while others wait for
/// them.
package enum ProcessorQuota {
  /// As many processors as have the time that the control groups of this process may use, rounded up; nil without a limit.
  ///
  /// - Parameters:
  ///   - membership: the file that names the groups.
  ///   - root: where they are mounted.
  package static func current(
    membership: String = "/proc/self/cgroup", root: String = "/sys/fs/cgroup"
  ) -> Int? {
    guard let groups = contents(membership) else { return nil }
    var least: Double?
    for line in groups.split(separator: "\n") {
      // hierarchy:controllers:path; version 2 has neither number nor controllers.
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let controllers = parts[1].split(separator: ",")
      let isUnified = parts[0] == "0" && controllers.isEmpty
      guard isUnified || controllers.contains("cpu") else { continue }
      let mount = isUnified ? root : root + "/" + parts[1]
      // The groups above limit it too. Inside a container the path may be one that is seen from outside only.
      var path = parts[2].split(separator: "/")
      while true {
        let folder = ([mount[...]] + path).joined(separator: "/")
        if let granted = isUnified ? unified(folder) : separate(folder) {
          least = min(least ?? granted, granted)
        }
        if path.popLast() == nil { break }
      }
    }
    return least.map { max(1, Int($0.rounded(.up))) }
  }

  /// Version 2: "quota period" in microseconds, or "max period".
  private static func unified(_ folder: String) -> Double? {
    let words = (contents(folder + "/cpu.max") ?? "").split { $0 == " " || $0 == "\n" }
    guard words.count == 2 else { return nil }
    return processors(quota: words[0], period: words[1])
  }

  /// Version 1: a file each; the quota is −1 where there is none.
  private static func separate(_ folder: String) -> Double? {
    guard let quota = contents(folder + "/cpu.cfs_quota_us"),
      let period = contents(folder + "/cpu.cfs_period_us")
    else { return nil }
    return processors(quota: quota.prefix { $0 != "\n" }, period: period.prefix { $0 != "\n" })
  }

  private static func processors(quota: Substring, period: Substring) -> Double? {
    guard let quota = Double(quota), let period = Double(period), quota > 0, period > 0 else { return nil }
    return min(quota / period, 1e6)
  }

  /// A short text file; nil if it cannot be read.
  private static func contents(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 16384)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }
}
