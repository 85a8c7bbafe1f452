import CKernels

/// The instruction sets that the C kernels are compiled for, and which of them they use.
public enum Instructions: String, CaseIterable, Codable, Sendable {
  /// What every processor of the architecture has.
  case baseline
  /// AVX2 with fused multiplication and addition: x86-64-v3.
  case avx2
  /// The foundation of AVX-512.
  case avx512

  /// The environment variable that names the most that the kernels may use; read when the program starts.
  public static let variable = "PHALAROPE_INSTRUCTIONS"

  /// What the kernels of this process use.
  public static var inUse: Instructions { Instructions(ck_instructions_in_use()) }

  /// The most that this machine has.
  public static var ofMachine: Instructions { Instructions(ck_instructions_of_machine()) }

  private init(_ kernels: ck_instructions) {
    self =
      switch kernels {
      case CK_AVX512: .avx512
      case CK_AVX2: .avx2
      default: .baseline
      }
  }
}
