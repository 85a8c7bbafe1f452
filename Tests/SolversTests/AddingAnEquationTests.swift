import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The Fisher–KPP equation, u_t = D u_xx + r u (1 − u): a population that grows to one and spreads.
struct FisherKPP: SemilinearEquation {
  let grid: Int
  let length: Double
  let diffusivity: Double
  let growthRate: Double
  let times: [Double]
  var timeStepping = TimeStepping()

  var equation: String { "u_t = D u_xx + r u (1 - u) on [0, L), periodic" }
  var parameters: [(name: String, value: Double)] { [("D", diffusivity), ("r", growthRate), ("L", length)] }

  func linearSymbol(_ k: WaveVector) -> Complex { Complex(growthRate - diffusivity * k.squared) }
  var polynomial: [Double] { [0, 0, -growthRate] }

  // d‖u‖²/dt ≤ 2r (‖u‖² − ‖u‖³) for u ≥ 0.
  func normBound(initial: Double, time: Double) -> Double { max(1, initial) }
}

/// The example of docs/solvers.md, "Adding an equation": it is the struct above and a file of Experiments.
@Suite struct AddingAnEquationTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
  }

  @Test func theGuideShowsThisCode() throws {
    let guide = try text("docs/solvers.md")
    let start = try #require(guide.range(of: "\n## Adding an equation\n"))
    let section = guide[start.upperBound...].components(separatedBy: "\n## ")[0]
    let blocks = section.components(separatedBy: "```").enumerated().compactMap { index, block in
      index.isMultiple(of: 2) ? nil : block.hasPrefix("swift\n") ? String(block.dropFirst(6)) : nil
    }
    try #require(blocks.count == 2)
    #expect(try text("Tests/SolversTests/AddingAnEquationTests.swift").contains(blocks[0]))
    let configuration = "Sources/Experiments/Equations/KuramotoSivashinskyConfiguration.swift"
    #expect(try text(configuration).contains(blocks[1]))
  }

  /// The front (1 + e^{(x − vt)/√6})^{−2}, v = 5/√6, for D = r = 1, of Ablowitz and Zeppetella (1979).
  private func front(_ x: Double) -> Double { pow(1 + exp(x / 6.0.squareRoot()), -2) }

  @Test func aPopulationSpreads() throws {
    // A region of ones that two fronts enlarge, exact but for their tails, e^{−80/√6} where they meet.
    let (n, length, time) = (512, 200.0, 4.0)
    func exact(_ t: Double) -> Tensor<Double> {
      let reach = 40 + 5 / 6.0.squareRoot() * t
      return Tensor(
        shape: [1, 1, n],
        scalars: (0..<n).map { j in
          let x = length * (Double(j) / Double(n) - 0.5)
          return front(x - reach) * front(-x - reach)
        })
    }
    let errors = try [0.1, 0.05, 0.025].map { step in
      let solver = FisherKPP(
        grid: n, length: length, diffusivity: 1, growthRate: 1, times: [time],
        timeStepping: .init(.etdrk4, timeStep: step))
      return relativeError(try solver(exact(0)), exact(time))
    }
    let orders = observedOrders(errors)
    print("Fisher-KPP: errors \(errors), observed orders in time \(orders)")
    #expect(orders.allSatisfy { abs($0 - 4) < 0.1 }, "\(errors)")
  }
}
