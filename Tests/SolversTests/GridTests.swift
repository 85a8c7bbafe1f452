import Solvers
import Tensors
import Testing

/// The coordinates that data files get.
@Suite struct GridTests {
  @Test func periodicAxesExcludeTheirEnd() {
    let axis = GridAxis.periodic("x", count: 4, length: 2)
    #expect(axis.coordinates == [0, 0.5, 1, 1.5] && axis.isPeriodic && axis.name == "x")
  }

  @Test func boundedAxesIncludeBothEnds() {
    let axis = GridAxis.bounded("y", count: 5, length: 2)
    #expect(axis.coordinates == [0, 0.5, 1, 1.5, 2] && !axis.isPeriodic)
  }

  @Test func everyProblemDescribesItself() throws {
    let problems: [any PhysicalProblem] = [
      try Burgers(grid: 8), try DarcyFlow(grid: 9), try NavierStokes(grid: 10, viscosity: 1e-3, times: [1]),
    ]
    #expect(problems.map(\.gridShape) == [[8], [9, 9], [10, 10]])
    #expect(problems.map(\.boundaryCondition) == [.periodic, .zeroDirichlet, .periodic])
    for problem in problems {
      #expect(problem.axes.map(\.name) == Array(["x", "y"].prefix(problem.axes.count)))
      #expect(problem.axes.allSatisfy { $0.isPeriodic == (problem.boundaryCondition == .periodic) })
      // Every parameter is named in the equation, or is a number in it.
      for (name, value) in problem.parameters {
        #expect(problem.equation.contains(name) || problem.equation.contains("\(value)"))
      }
    }
  }
}
