import Audits
import Datasets
import Tensors
import TestSupport
import Testing

/// The check `axes`.
@Suite struct AxesTests {
  private func result(
    _ config: String, _ edit: (inout DatasetDescription) -> Void,
    change: @escaping @Sendable ([Tensor<Double>]) -> [Tensor<Double>] = { $0 }
  ) throws -> CheckResult? {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      let base = try sampleSource(config)
      var source = AlteredSource(base) { _, fields in fields = change(fields) }
      edit(&source.description)
      try generateDataset(
        from: source, samples: 0..<8, to: path,
        options: GenerationOptions(
          provenance: DatasetProvenance(config: "", solver: "", seed: 0, software: ""), writesXDMF: false))
      return try AuditedFile.report(path)[.axes]
    }
  }

  @Test func aPeriodicAxisLeavesOutItsEnd() throws {
    // The usual mistake: linspace(0, 1, n) with its end point.
    let result = try result(AuditedFile.navierStokes) { description in
      let points = (0..<32).map { Double($0) / 31 }
      description.axes[1] = .init(name: "y", coordinates: points, isPeriodic: true)
    }
    #expect(result?.verdict == .fail)
    #expect(result?.message == "axis y is periodic, but includes its end point 1")
  }

  @Test func aRepeatedLastPointIsFoundInTheValues() throws {
    let result = try result(
      AuditedFile.burgers,
      { description in
        description.axes[0] = .periodic("x", count: 65, length: 7)
      },
      change: { fields in
        let values = fields[0]
        return [
          Tensor(shape: [3, 65]) { target in
            for frame in 0..<3 { for x in 0..<65 { target[frame * 65 + x] = values[frame, x % 64] } }
          }
        ]
      })
    #expect(result?.verdict == .fail)
    #expect(result?.message == "axis x is periodic, but its last point repeats the first in every sample")
  }

  @Test func unevenAndDecreasingCoordinatesAreFound() throws {
    let uneven = try result(AuditedFile.darcy) { description in
      var points = description.axes[0].coordinates ?? []
      points[7] += 0.01
      description.axes[0] = .init(name: "x", coordinates: points, isPeriodic: false)
    }
    #expect(uneven?.message.hasPrefix("axis x is not even: step 6 is 0.0413") == true)
    let decreasing = try result(AuditedFile.darcy) { description in
      let points = description.axes[1].coordinates ?? []
      description.axes[1] = .init(name: "y", coordinates: points.reversed(), isPeriodic: false)
    }
    #expect(decreasing?.message.hasPrefix("the coordinates of axis y do not increase: 1, 0.96875") == true)
    let length = try result(AuditedFile.darcy) { description in
      description.axes[1] = .bounded("y", count: 33, length: 2)
    }
    #expect(length?.message == "axis y spans 2, the domain of the equation 1")
  }
}
