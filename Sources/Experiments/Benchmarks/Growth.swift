import Figures
import Files
import Foundation
import NeuralOperators
import Tensors

/// How the time of some pieces of work grows with one of their sizes: a chart.
struct Growth {
  /// The size that grows: a word, and the name of the chart's file.
  let name: String
  /// What the chart says about itself.
  let title: String
  let subtitle: String
  /// The name of the horizontal axis.
  let size: String
  /// Pieces of work by name, each at several sizes.
  let series: [(name: String, points: [(size: Int, benchmark: Benchmark)])]

  /// The time of one piece of work at one size.
  struct Point: Encodable {
    let chart: String
    let work: String
    let size: Int
    /// Seconds of one step.
    let median: Double
    let minimum: Double
  }

  /// Measures every point, draws the chart and writes it with its numbers into a folder.
  func measure(
    into folder: String, stopwatch: () -> Stopwatch, note: (String) -> Void
  ) throws -> [Point] {
    var all: [Point] = []
    var lines: [LineChart.Series] = []
    for (work, points) in series {
      let measured = try points.map { size, benchmark in
        note("\(name): \(work), \(size)")
        let stopwatch = stopwatch()
        try benchmark.measure(stopwatch)
        let result = BenchmarkResult(benchmark, stopwatch, peak: .nan)
        return Point(chart: name, work: work, size: size, median: result.median, minimum: result.minimum)
      }
      lines.append(.init(work, x: measured.map { Double($0.size) }, y: measured.map { 1e3 * $0.median }))
      all += measured
    }
    var chart = LineChart(
      title: title, x: .init(size, scale: .logarithmic, isCount: true),
      y: .init("time / ms", scale: .logarithmic),
      series: lines)
    chart.subtitle = subtitle
    try AtomicFile.write(chart.drawing().svg(theme: .paper), to: "\(folder)/\(name).svg")
    try AtomicFile.write(chart.csv(), to: "\(folder)/\(name).csv")
    return all
  }
}

extension Growth {
  /// The charts: by grid, width, modes, batch, samples and depth of K-matrices.
  static func all(_ size: Benchmark.Size) -> [Growth] {
    let isSmall = size == .small
    func sizes(_ full: [Int], small: [Int]) -> [Int] { isSmall ? small : full }

    func step(
      _ model: ModelConfiguration, grid: Shape, batch: Int
    ) -> Benchmark {
      .trainingStep("", model, grid: grid, operations: 0, batchSize: batch)
    }
    func fno(_ grid: Int, width: Int = 32, modes: Int = 12, batch: Int = 4, dimensions: Int = 2) -> Benchmark
    {
      step(
        .fno(
          .modern(dimensions: dimensions, width: isSmall ? min(width, 8) : width, modes: isSmall ? 4 : modes)),
        grid: Shape(repeating: isSmall ? 16 : grid, count: dimensions), batch: batch)
    }
    func cnn(_ grid: Int, width: Int = 32, modes: Int = 12, batch: Int = 4) -> Benchmark {
      step(
        .cnn(.backbone(dimensions: 2, width: isSmall ? min(width, 8) : width, modes: isSmall ? 4 : modes)),
        grid: [isSmall ? 16 : grid, isSmall ? 16 : grid], batch: batch)
    }
    func xd(depth: Int, width: Int) -> Benchmark {
      let backbone = ModelConfiguration.cnn(.backbone(dimensions: 1, width: width, modes: 16))
      let conversion = XDConfiguration(depth: .init(k: depth, l: depth, m: depth))
      let grid: Shape = [isSmall ? 64 : 1024]
      return step(.xd(.init(backbone: backbone, grid: grid, conversion: conversion)), grid: grid, batch: 4)
    }
    func generation(_ equation: String, grid: Int, samples: Int) -> Benchmark {
      .generation("", equation, grid: grid, samples: samples)
    }
    let grids = sizes([32, 48, 64, 96, 128, 192, 256], small: [16, 32])
    let widths = sizes([8, 16, 32, 64], small: [4, 8])
    let modes = sizes([4, 8, 12, 16, 24, 32], small: [2, 4])
    let batches = sizes([1, 2, 4, 8, 16, 32], small: [1, 2])
    let samples = sizes([50, 100, 200, 400], small: [2, 4])
    let depths = sizes([1, 2, 3, 4], small: [1, 2])
    return [
      Growth(
        name: "grid", title: "Cost by grid",
        subtitle: "training steps of width 16, batch 2; solves of one sample",
        size: "points along an axis, n of n x n",
        series: [
          ("FNO step", grids.map { ($0, fno(isSmall ? 16 : $0, width: 16, batch: 2)) }),
          ("CNN step", grids.dropLast(2).map { ($0, cnn($0, width: 16, batch: 2)) }),
          ("Darcy solve", grids.map { ($0, .darcySolve("", grid: $0)) }),
          ("Navier-Stokes step", grids.map { ($0, .vorticityStep("", grid: $0, batch: 1)) }),
        ]),
      Growth(
        name: "width", title: "Cost by width",
        subtitle: "training steps, 64 x 64, 12 modes or 13 x 13 taps, batch 4",
        size: "width",
        series: [
          ("FNO", widths.map { ($0, fno(64, width: $0)) }), ("CNN", widths.map { ($0, cnn(64, width: $0)) }),
        ]),
      Growth(
        name: "modes", title: "Cost by modes",
        subtitle: "training steps, 64 x 64, width 16, batch 4; kernels of one tap more",
        size: "modes along an axis",
        series: [
          ("FNO", modes.map { ($0, fno(64, width: 16, modes: $0)) }),
          ("CNN", modes.map { ($0, cnn(64, width: 16, modes: $0)) }),
        ]),
      Growth(
        name: "batch", title: "Cost by batch",
        subtitle: "training steps; FNO-2d 64 x 64, width 16; FNO-1d 1024, width 64",
        size: "samples of a batch",
        series: [
          ("FNO-2d", batches.map { ($0, fno(64, width: 16, batch: $0)) }),
          ("FNO-1d", batches.map { ($0, fno(1024, width: 64, modes: 16, batch: $0, dimensions: 1)) }),
        ]),
      Growth(
        name: "samples", title: "Cost by samples",
        subtitle: "datasets into a file: 64 x 64, 85 x 85 and 1024 points",
        size: "samples",
        series: [
          (
            "Navier-Stokes",
            samples.map { ($0, generation("navier-stokes", grid: isSmall ? 16 : 64, samples: $0)) }
          ),
          ("Darcy", samples.map { ($0, generation("darcy", grid: isSmall ? 17 : 85, samples: $0)) }),
          ("Burgers", samples.map { ($0, generation("burgers", grid: isSmall ? 128 : 1024, samples: $0)) }),
        ]),
      Growth(
        name: "depth", title: "Cost by depth of the K-matrices",
        subtitle: "XD training steps, 1024 points, 17 taps, batch 4",
        size: "depth of K, L and M",
        series: [
          ("width 8", depths.map { ($0, xd(depth: $0, width: 8)) }),
          ("width 32", depths.map { ($0, xd(depth: $0, width: 32)) }),
        ]),
    ]
  }
}
