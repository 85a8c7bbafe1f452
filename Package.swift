// swift-tools-version: 6.2
import PackageDescription

// Warnings of this package are errors; a package that depends on it is not affected (SE-0480).
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]
let strictC: [CSetting] = [.enableWarning("all"), .enableWarning("extra"), .treatAllWarnings(as: .error)]

let package = Package(
  name: "phalarope",
  products: [
    .executable(name: "phalarope", targets: ["phalarope"]),
    .library(name: "Tensors", targets: ["Tensors"]),
    .library(name: "HDF5", targets: ["HDF5"]),
    .library(name: "Solvers", targets: ["Solvers"]),
    .library(name: "Datasets", targets: ["Datasets"]),
    .library(name: "Audits", targets: ["Audits"]),
    .library(name: "Autodiff", targets: ["Autodiff"]),
    .library(name: "NeuralOperators", targets: ["NeuralOperators"]),
    .library(name: "Training", targets: ["Training"]),
    .library(name: "InverseProblems", targets: ["InverseProblems"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: [
    // MARK: - C libraries, each imported by exactly one Swift target
    .systemLibrary(
      name: "CFFTW", pkgConfig: "fftw3f",
      providers: [.apt(["libfftw3-dev"]), .brew(["fftw"]), .yum(["fftw-devel"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev"]), .brew(["openblas"]), .yum(["openblas-devel"])]),
    .systemLibrary(
      name: "CHDF5", pkgConfig: "hdf5",
      providers: [.apt(["libhdf5-dev"]), .brew(["hdf5"]), .yum(["hdf5-devel"])]),
    .systemLibrary(
      name: "CPNG", pkgConfig: "libpng",
      providers: [.apt(["libpng-dev"]), .brew(["libpng"]), .yum(["libpng-devel"])]),
    .systemLibrary(
      name: "CZip", pkgConfig: "libzip",
      providers: [.apt(["libzip-dev"]), .brew(["libzip"]), .yum(["libzip-devel"])]),
    .systemLibrary(
      name: "CZlib", pkgConfig: "zlib",
      providers: [.apt(["zlib1g-dev"]), .brew(["zlib"]), .yum(["zlib-devel"])]),
    .target(name: "CKernels", cSettings: strictC),
    .target(name: "CCrashGuard", cSettings: strictC),

    // MARK: - Libraries, lowest layer first
    .target(name: "Tensors", dependencies: ["CFFTW", "COpenBLAS", "CKernels"], swiftSettings: strict),
    .target(name: "Files", swiftSettings: strict),
    .target(name: "HDF5", dependencies: ["CHDF5", "CCrashGuard"], swiftSettings: strict),
    .target(name: "Archives", dependencies: ["CZip", "CZlib", "Files"], swiftSettings: strict),
    .target(name: "Figures", dependencies: ["CPNG", "Files"], swiftSettings: strict),
    .target(name: "Solvers", dependencies: ["Tensors"], path: "Solvers", swiftSettings: strict),
    .target(
      name: "Datasets", dependencies: ["CZlib", "Tensors", "Files", "HDF5", "Archives", "Solvers"],
      path: "Datasets",
      swiftSettings: strict),
    .target(
      name: "Audits", dependencies: ["Tensors", "HDF5", "Solvers", "Datasets"], swiftSettings: strict),
    .target(name: "Autodiff", dependencies: ["Tensors", "CKernels"], swiftSettings: strict),
    .target(name: "NeuralOperators", dependencies: ["Tensors", "Autodiff"], swiftSettings: strict),
    .target(
      name: "Training",
      dependencies: [
        "Tensors", "Archives", "HDF5", "Solvers", "Datasets", "Autodiff", "NeuralOperators",
      ],
      swiftSettings: strict),
    .target(
      name: "InverseProblems", dependencies: ["Tensors", "Files", "HDF5", "Solvers"], swiftSettings: strict),
    .target(
      name: "Experiments",
      dependencies: [
        "Tensors", "Files", "HDF5", "Archives", "Figures", "Solvers", "Datasets", "Audits", "Autodiff",
        "NeuralOperators",
        "Training", "InverseProblems", "Yams",
      ],
      swiftSettings: strict),

    // MARK: - Command line
    .executableTarget(
      name: "phalarope",
      dependencies: [
        "Datasets", "Experiments", "NeuralOperators",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // MARK: - Tests
    .target(
      name: "TestSupport", dependencies: ["Tensors", "Autodiff"], path: "Tests/TestSupport",
      swiftSettings: strict),
    .executableTarget(
      name: "mutants", dependencies: ["Archives", "Datasets", "HDF5", "Tensors"], path: "Tests/Mutants",
      swiftSettings: strict),
    .target(name: "AllocationCounter", path: "Tests/AllocationCounter", cSettings: strictC),
    .executableTarget(
      name: "allocations",
      dependencies: [
        "AllocationCounter", "Autodiff", "InverseProblems", "NeuralOperators", "Solvers", "Tensors",
        "Training",
      ], path: "Tests/Allocations", swiftSettings: strict),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "ArchivesTests", dependencies: ["Archives", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "HDF5Tests", dependencies: ["HDF5", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "FiguresTests", dependencies: ["Figures", "Files", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "SolversTests", dependencies: ["Solvers", "Tensors", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "DatasetsTests",
      dependencies: [
        "mutants", "Archives", "Files", "Datasets", "HDF5", "Solvers", "Tensors", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "AuditsTests",
      dependencies: [
        "Audits", "Experiments", "Datasets", "HDF5", "Solvers", "Tensors", "TestSupport",
      ], swiftSettings: strict),
    .testTarget(
      name: "AutodiffTests", dependencies: ["Autodiff", "CKernels", "Tensors", "TestSupport"],
      exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(
      name: "NeuralOperatorsTests",
      dependencies: ["NeuralOperators", "Autodiff", "Tensors", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Archives", "Training", "NeuralOperators", "Autodiff", "Datasets", "HDF5", "Solvers", "Tensors",
        "TestSupport",
      ],
      exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(
      name: "InverseProblemsTests",
      dependencies: ["InverseProblems", "HDF5", "Solvers", "Tensors", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "ExperimentsTests",
      dependencies: [
        "Archives", "Experiments", "Training", "InverseProblems", "NeuralOperators", "Autodiff", "Datasets",
        "Solvers", "Figures", "Files", "HDF5",
        "Tensors", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CommandTests",
      dependencies: ["phalarope", "Archives", "HDF5", "TestSupport"],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
