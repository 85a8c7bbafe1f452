import Experiments
import Foundation
import HDF5
import TestSupport
import Testing

/// Run folders with the files of the stages, from made-up fields.
private enum SampleRun {
  static func field(_ n: Int, _ sample: Int, shift: Double = 0) -> [Double] {
    (0..<n * n).map { index in
      let x = Double(index / n) / Double(n)
      let y = Double(index % n) / Double(n)
      return sin(2 * .pi * (x + shift)) * cos(2 * .pi * Double(sample + 1) * y) + 0.5 * sin(4 * .pi * (x + y))
    }
  }

  static func write(_ text: String, _ folder: String, _ name: String) throws {
    try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
  }

  static func writeText(_ folder: String, model: String) throws {
    var metrics = "epoch,split,metric,value\n"
    for epoch in 1...50 {
      let error = 0.4 * exp(-Double(epoch) / 10) + 0.01
      metrics += "\(epoch),train,relative_l2,\(error)\n\(epoch),test,relative_l2,\(error * 1.2)\n"
      metrics += "\(epoch),train,learning_rate,\(epoch < 26 ? 1e-3 : 5e-4)\n\(epoch),train,seconds,3.2\n"
    }
    try write(metrics, folder, "metrics.csv")
    let errors = (0..<40).map { 0.01 + 0.0004 * Double($0 * 17 % 40) }
    try write(
      """
      {"samples": 40, "grid": [32, 32], "relative_l2": {"mean": 0.0178, "median": 0.0178, "maximum": 0.0256},
       "sample_relative_l2": [\(errors.map { "\($0)" }.joined(separator: ", "))]}
      """, folder, "evaluation.json")
    try write("model:\n  kind: \(model)\n  width: 32\n  modes: [12, 12]\nepochs: 50\n", folder, "config.yaml")
    try write(
      "{\"machine\": {\"processor\": \"<Zen> & co\", \"threads\": 2}, \"wall_seconds\": 172.4}", folder,
      "manifest.json")
  }

  static func writeTraining(_ folder: String, dimensions: Int) throws {
    try writeText(folder, model: "fno")
    let n = 32
    func sample(_ index: Int, _ shift: Double) -> [Float] {
      let values = field(n, index, shift: shift)
      return (dimensions == 2 ? values : Array(values.prefix(n))).map(Float.init)
    }
    let shape = [3, 1] + Array(repeating: n, count: dimensions)
    try HDF5File.write(to: "\(folder)/evaluation.h5") { file in
      try file.root.createDataset("input", (0..<3).flatMap { sample($0, 0.3) }, shape: shape)
      try file.root.createDataset("target", (0..<3).flatMap { sample($0, 0) }, shape: shape)
      try file.root.createDataset(
        "prediction", (0..<3).flatMap { sample($0, 0.01 * Double($0 + 1)) }, shape: shape)
      try file.root.createDataset("sample", [7, 11, 13])
      try file.root.createDataset("relative_l2", [Float(0.02), 0.04, 0.06])
      for axis in ["x", "y"].prefix(dimensions) {
        try file.root.createDataset("dimensions/\(axis)", (0..<n).map { Double($0) / Double(n) })
      }
      try file.root.attributes.set("equation", "-∇·(a ∇u) = 1")
      try file.root.attributes.set("input_names", ["permeability"])
      try file.root.attributes.set("target_names", ["pressure"])
    }
  }

  static func writeInversion(_ folder: String) throws {
    let n = 32
    let truth = field(n, 0)
    let mean = field(n, 0, shift: 0.02)
    try write("sampler:\n  kind: pcn\n  samples: 400\n  burn_in: 100\n", folder, "config.yaml")
    try HDF5File.write(to: "\(folder)/posterior.nc") { file in
      let root = file.root
      try root.createDataset("posterior_summary/vorticity_mean", mean, shape: [n, n])
      var deviation: [Double] = []
      for index in truth.indices { deviation.append(0.1 + 0.05 * sin(Double(index % n) / 5)) }
      try root.createDataset("posterior_summary/vorticity_std", deviation, shape: [n, n])
      try root.createDataset("posterior_summary/quantity", ["misfit", "mode 1"])
      try root.createDataset("posterior_summary/ess_bulk", [212.0, 87.5])
      try root.createDataset("posterior_summary/ess_tail", [180.0, 91.0])
      try root.createDataset("posterior_summary/r_hat", [1.004, 1.021])
      try root.createDataset("constant_data/truth", truth, shape: [n, n])
      try root.createDataset("constant_data/noise_std", [0.1], shape: [])
      try root.createDataset("prior/vorticity_std", truth.map { _ in 0.26 }, shape: [n, n])
      let sensorX = (0..<49).map { Double($0 / 7) / 7 }
      let sensorY = (0..<49).map { Double($0 % 7) / 7 }
      let observations = zip(sensorX, sensorY).map { x, y in sin(6.3 * x) * cos(6.3 * y) }
      try root.createDataset("constant_data/sensor_x", sensorX)
      try root.createDataset("constant_data/sensor_y", sensorY)
      try root.createDataset("observed_data/observations", observations)
      let draws = 400
      var misfits: [Double] = []
      var accepted: [Int32] = []
      for index in 0..<2 * draws {
        misfits.append(24.5 + 5 * sin(Double(index * 37 % 101)) + 10 / Double(index % draws + 1))
        accepted.append(index * 31 % 100 < 27 ? 1 : 0)
      }
      let modes = (0..<2 * draws * 2).map { cos(Double($0 * 29 % 113)) }
      try root.createDataset("sample_stats/fourier_mode", modes, shape: [2, draws, 2])
      try root.createDataset("sample_stats/mode", ["cos(1,0)", "sin(1,0)"])
      let fields = (0..<4).flatMap { field(n, 0, shift: 0.02 * Double($0)).map(Float.init) }
      try root.createDataset("posterior/vorticity", fields, shape: [2, 2, n, n])
      let numbers = (0..<40).map { 1 + Double($0 / 4) }
      try root.createDataset("posterior_summary/coordinate_wavenumber", numbers)
      try root.createDataset("posterior_summary/coordinate_prior_std", numbers.map { 1 / ($0 * $0) })
      try root.createDataset("posterior_summary/coordinate_mean", numbers.map { exp(-$0) })
      try root.createDataset("posterior_summary/coordinate_variance", numbers.map { 1 - exp(-$0) })
      try root.createDataset("sample_stats/misfit", misfits, shape: [2, draws])
      try root.createDataset("sample_stats/accepted", accepted, shape: [2, draws])
    }
  }
}

@Suite struct ReportTests {
  private func withRun(_ body: (String) throws -> Void) throws {
    // A folder to look at may be named instead of a temporary one.
    if let folder = ProcessInfo.processInfo.environment["PHALAROPE_REPORT_FOLDER"] {
      let run = "\(folder)/run-\(UUID().uuidString.prefix(4))"
      try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
      return try body(run)
    }
    try withTemporaryFolder(body)
  }

  @Test(arguments: [1, 2])
  func aTrainingRunIsShown(dimensions: Int) throws {
    try withRun { folder in
      try SampleRun.writeTraining(folder, dimensions: dimensions)
      let summary = try Report.write(runFolder: folder)
      let page = try String(contentsOfFile: summary.page, encoding: .utf8)
      for expected in ["0.0178", "Learning rate", "sample 7", "172.4", "&lt;Zen&gt; &amp; co", "12 × 12"] {
        #expect(page.localizedCaseInsensitiveContains(expected), "\(expected)")
      }
      for name in [
        "training-curves", "learning-rate", "error-by-sample", "error-histogram", "sample-7", "sample-13",
      ] {
        #expect(summary.figures.contains(name), "\(name)")
      }
      for name in summary.figures {
        for kind in ["png", "svg", "csv"] {
          let size = FileManager.default.contents(atPath: "\(folder)/figures/\(name).\(kind)")?.count ?? 0
          #expect(size > 50, "\(name).\(kind)")
        }
      }
      // The error in the table is the difference of the two columns before it.
      if dimensions == 2 {
        let table = try String(contentsOfFile: "\(folder)/figures/sample-7.csv", encoding: .utf8)
        let lines = table.split(separator: "\n")
        #expect(lines[0] == "x,y,Input,Truth,Prediction,Error" && lines.count == 1 + 32 * 32)
        let numbers = lines[100].split(separator: ",").compactMap { Double($0) }
        #expect(abs(numbers[4] - numbers[3] - numbers[5]) < 1e-12, "differences of doubles below 2")
      }
    }
  }

  @Test func anInversionIsShownAndChromiumDrawsIt() throws {
    try withRun { folder in
      try SampleRun.writeInversion(folder)
      let summary = try Report.write(runFolder: folder)
      for name in [
        "posterior", "prior-and-posterior-deviation", "observations", "misfit-trace", "acceptance-trace",
        "misfit-histogram", "coverage", "samples", "spectrum", "variance-by-wave-number", "mode-trace-1",
        "misfit-ranks", "mode-ranks", "autocorrelation",
      ] {
        #expect(summary.figures.contains(name), "\(name)")
      }
      let page = try String(contentsOfFile: summary.page, encoding: .utf8)
      #expect(page.contains("87.5") && page.contains("1.021"), "the diagnostics are in the table")
      #expect(page.contains("expected at the truth: 24.5"), "half of 49 observations")
      // Four coefficients of wave number 2 with prior deviation 1/4: what is left of it is √(1 − e⁻²).
      let spectrum = try String(contentsOfFile: "\(folder)/figures/spectrum.csv", encoding: .utf8)
      #expect(spectrum.contains("\(0.25 * (1 - exp(-2.0)).squareRoot())".prefix(12)), "\(spectrum)")
      let probe = "\(folder)/probe.html"
      try HeadlessBrowser.measuring(page, elements: "figure > svg, image, table")
        .write(toFile: probe, atomically: true, encoding: .utf8)
      try withTemporaryFolder { profile in
        let visit = try HeadlessBrowser().open(probe, in: profile)
        #expect(visit.complaints.isEmpty, "\(visit.complaints)")
        let boxes = HeadlessBrowser.boxes(in: visit.document)
        #expect(boxes.count { $0.tag == "svg" } == 4 + 3 + 1 + 2 + 2 + 2 + 9)
        for box in boxes { #expect(box.width > 8 && box.height > 8, "\(box)") }
      }
    }
  }

  @Test func whatIsAbsentIsLeftOut() throws {
    try withTemporaryFolder { folder in
      try SampleRun.write("epoch,split,metric,value\n1,train,relative_l2,0.5\n2,tr", folder, "metrics.csv")
      let summary = try Report.write(runFolder: folder)
      #expect(summary.figures == ["training-curves"] && summary.sources == ["metrics.csv"])
    }
  }

  @Test func nothingToShowIsAnError() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: ReportError.self) { try Report.write(runFolder: folder) }
      #expect(error?.description.contains("metrics.csv") == true)
      #expect(throws: ReportError.self) { try Report.write(runFolder: "\(folder)/absent") }
      try SampleRun.write("epoch,split,metric,value\n1,train,loss,x\n2,train,loss,1\n", folder, "metrics.csv")
      let broken = #expect(throws: ReportError.self) { try Report.write(runFolder: folder) }
      #expect(broken?.description.contains("line 2") == true)
    }
  }
}
