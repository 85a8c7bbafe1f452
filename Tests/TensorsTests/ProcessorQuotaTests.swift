import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ProcessorQuotaTests {
  /// What is found for files of a system, by their places.
  private func quota(_ groups: String, _ files: [String: String]) throws -> Int? {
    try withTemporaryFolder { folder in
      let membership = "\(folder)/membership"
      try groups.write(toFile: membership, atomically: true, encoding: .utf8)
      for (path, text) in files {
        let place = URL(fileURLWithPath: "\(folder)/root/\(path)")
        try FileManager.default.createDirectory(
          at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: place, atomically: true, encoding: .utf8)
      }
      return ProcessorQuota.current(membership: membership, root: "\(folder)/root")
    }
  }

  /// A container sees its own group as the root, a service is in one below another.
  @Test func unified() throws {
    #expect(try quota("0::/\n", ["cpu.max": "200000 100000\n"]) == 2)
    #expect(try quota("0::/\n", ["cpu.max": "150000 100000\n"]) == 2, "a part of a processor is one more")
    #expect(try quota("0::/\n", ["cpu.max": "1000 100000\n"]) == 1)
    #expect(try quota("0::/\n", ["cpu.max": "max 100000\n"]) == nil)
    let service = [
      "a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n", "a/b/c/cpu.max": "800000 100000\n",
    ]
    #expect(try quota("0::/a/b/c\n", service) == 3, "the least of all groups above")
    #expect(try quota("0::/a/elsewhere\n", service) == 3)
  }

  @Test func separateControllers() throws {
    let groups = "12:memory:/x\n4:cpu,cpuacct:/docker/1a\n1:name=systemd:/\n0::/\n"
    let folder = "cpu,cpuacct"
    let limited = ["\(folder)/cpu.cfs_quota_us": "400000\n", "\(folder)/cpu.cfs_period_us": "100000\n"]
    #expect(try quota(groups, limited) == 4, "the path is that of the host")
    var free = limited
    free["\(folder)/cpu.cfs_quota_us"] = "-1\n"
    #expect(try quota(groups, free) == nil)
    free["\(folder)/docker/1a/cpu.cfs_quota_us"] = "50000\n"
    free["\(folder)/docker/1a/cpu.cfs_period_us"] = "100000\n"
    #expect(try quota(groups, free) == 1)
  }

  @Test func whatCannotBeReadIsNoLimit() throws {
    #expect(try quota("", [:]) == nil)
    #expect(try quota("0::/\n", ["cpu.max": "many\n"]) == nil)
    #expect(try quota("0::/\n", ["cpu.max": "0 100000\n"]) == nil)
    #expect(ProcessorQuota.current(membership: "/nowhere", root: "/nowhere") == nil)
    if let quota = ProcessorQuota.current() { #expect(Parallelism.processorCount <= quota) }
  }
}
