import Foundation
import Testing
import Training

@Suite struct ScheduleTests {
  private func factor(_ schedule: Schedule, _ epoch: Int, _ fraction: Double = 0) -> Double {
    schedule.factor(epoch: epoch, fraction: fraction, of: 500, stepsPerEpoch: 50)
  }

  @Test func stepsAreThePapers() {
    let schedule = Schedule.step(factor: 0.5, epochs: 100)
    #expect([0, 99, 100, 250, 499].map { factor(schedule, $0, 0.9) } == [1, 1, 0.5, 0.25, 0.0625])
    #expect(factor(.constant, 400) == 1)
  }

  @Test func cosineWarmsUpAndComesDown() {
    let schedule = Schedule.cosine(warmUpEpochs: 10, finalFactor: 0.1)
    #expect(factor(schedule, 0) == 0.002)  // the first of 500 steps of warm-up
    #expect(abs(factor(schedule, 9, 0.98) - 1) < 1e-12)
    #expect(factor(schedule, 10) == 1)
    #expect(abs(factor(schedule, 255) - 0.55) < 1e-12)  // half way down
    #expect(abs(factor(schedule, 499, 1) - 0.1) < 1e-12)
    #expect(factor(.cosine(warmUpEpochs: 0, finalFactor: 0), 0) == 1)
  }

  @Test func oneCycleRisesAndFalls() {
    let schedule = Schedule.oneCycle(rise: 0.3, initialFactor: 0.04, finalFactor: 1e-5)
    #expect(factor(schedule, 0) == 0.04)
    #expect(abs(factor(schedule, 75) - 0.52) < 1e-12)  // half way up
    #expect(abs(factor(schedule, 150) - 1) < 1e-12)
    #expect(abs(factor(schedule, 325) - 0.500005) < 1e-12)  // half way down
    #expect(abs(factor(schedule, 499, 1) - 1e-5) < 1e-12)
    #expect(factor(.oneCycle(rise: 0, initialFactor: 0.1, finalFactor: 0), 0) == 1)
    #expect(abs(factor(.oneCycle(rise: 1, initialFactor: 0.1, finalFactor: 0), 499, 0.999) - 1) < 1e-6)
  }

  @Test func plateausLowerTheRate() {
    let schedule = Schedule.plateau(factor: 0.5, patience: 2, minimumFactor: 0.2)
    func factor(_ errors: [Double]) -> Double {
      schedule.factor(epoch: errors.count, fraction: 0.5, of: 500, stepsPerEpoch: 50, errors: errors)
    }
    #expect(factor([]) == 1 && factor([3, 2, 1]) == 1)
    #expect(factor([3, 3, 4]) == 1)
    #expect(factor([3, 3, 4, 3]) == 0.5)  // the third epoch in a row without a smaller error
    #expect(factor([3, 3, 4, 3, 5, 5]) == 0.5)
    #expect(factor([3, 3, 4, 3, 5, 2, 5, 5]) == 0.5)
    #expect(factor([3, 3, 4, 3, 5, 5, 5]) == 0.25)
    #expect(factor([Double](repeating: 1, count: 40)) == 0.2)
  }

  @Test(arguments: [
    Schedule.oneCycle(rise: 0.25, initialFactor: 0.1, finalFactor: 0.001),
    .plateau(factor: 0.1, patience: 3, minimumFactor: 0.01), .constant, .step(factor: 0.5, epochs: 100),
    .cosine(warmUpEpochs: 2.5, finalFactor: 0.01),
  ])
  func survivesJSON(schedule: Schedule) throws {
    #expect(try JSONDecoder().decode(Schedule.self, from: JSONEncoder().encode(schedule)) == schedule)
  }
}
