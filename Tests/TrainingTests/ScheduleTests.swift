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

  @Test(arguments: [
    Schedule.constant, .step(factor: 0.5, epochs: 100), .cosine(warmUpEpochs: 2.5, finalFactor: 0.01),
  ])
  func survivesJSON(schedule: Schedule) throws {
    #expect(try JSONDecoder().decode(Schedule.self, from: JSONEncoder().encode(schedule)) == schedule)
  }
}
