import Foundation
import Glibc
import Tensors

/// Shows what the program runs on.
public enum DoctorStage {
  /// What `doctor` finds.
  struct Findings: Encodable {
    var software = Manifest.Software()
    var machine = Manifest.Machine()
    var instructions = Kernels()
    var libraries = Manifest().libraries
    var limits = Limits()

    /// What the C kernels use, and what they could.
    struct Kernels: Encodable {
      var inUse = Instructions.inUse
      var ofMachine = Instructions.ofMachine
    }

    /// What the system allows the process.
    struct Limits: Encodable {
      var openFiles = limit(RLIMIT_NOFILE)
      var addressSpace = limit(RLIMIT_AS)
      var fileSize = limit(RLIMIT_FSIZE)

      /// The limit in force; nil if there is none.
      static func limit(_ resource: __rlimit_resource) -> UInt64? {
        var value = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &value) == 0, value.rlim_cur != rlim_t.max
        else { return nil }
        return UInt64(value.rlim_cur)
      }
    }
  }

  /// Prints the findings.
  public static func run(_ console: Console) throws {
    let findings = Findings()
    try console.result(findings, text: text(findings))
  }

  private static func text(_ findings: Findings) -> String {
    func shown(_ limit: UInt64?) -> String { limit.map { "\($0)" } ?? "unlimited" }
    var rows: [(String, String)] = [
      (findings.software.name, findings.software.version),
      ("revision", findings.software.revision ?? "unknown (not run from a checkout)"),
      ("compiler", findings.software.compiler),
      ("system", findings.machine.system),
      ("processor", findings.machine.processor),
      ("processors", "\(findings.machine.processors), threads in use: \(findings.machine.threads)"),
    ]
    if Parallelism.presentProcessorCount > findings.machine.processors {
      rows.append(
        ("", "of \(Parallelism.presentProcessorCount): control groups grant no more processor time"))
    }
    rows.append(("memory", "\(findings.machine.memory / (1 << 20)) MiB"))
    if findings.instructions.inUse != findings.instructions.ofMachine {
      rows.append(
        ("instructions", "\(findings.instructions.ofMachine) but for \(Instructions.variable): see kernels"))
    }
    rows += findings.libraries.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    if let better = Parallelism.betterCore {
      rows.append(
        ("", "OpenBLAS does not know this processor: \(better.variable)=\(better.value) makes it faster"))
    }
    rows += [
      ("open files", shown(findings.limits.openFiles)),
      ("file size", shown(findings.limits.fileSize)),
      ("address space", shown(findings.limits.addressSpace)),
    ]
    return Text.table(rows)
  }
}
