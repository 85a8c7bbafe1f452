import Foundation
import Tensors

/// The modes of a field that a Gaussian law makes independent, each over its stated standard deviation.
protocol InputModes: Sendable {
  /// The normal numbers in a mode: a cosine alone, or with a sine.
  var degreesOfFreedom: Int { get }
  /// What has the law, in a finding about a place.
  var bearer: String { get }
  /// The same in a message about all samples.
  var everyBearer: String { get }

  /// The place of a sample's field.
  func place(_ sample: Int) -> Place
  /// The squares of a sample's modes.
  func measure(_ sample: AuditedSample) -> InputLaw.Measurement
}

/// The inputs follow the Gaussian law that the file states: the stated mean, the stated power in every mode.
///
/// The mean square of each mode, over its variance, has the expectation 1. Its mean over the modes of a sample, and
/// over all samples for each wave number, is compared with 1.
struct InputLaw: SampleCheck {
  let name = CheckName.inputs
  private let modes: any InputModes

  /// The law of these modes.
  init(_ modes: any InputModes) { self.modes = modes }

  /// In standard deviations: of a normal deviate, 6 is exceeded twice in a thousand million draws.
  static let limit = 6.0
  /// Wave numbers beyond are left out: memory would grow with the grid.
  static let largestShell = 48

  struct Measurement: Sendable {
    var sample: Int
    /// The sum of the normalised powers and the number of modes, by wave number |k|∞.
    var sums: [Double]
    var counts: [Int]
    /// The mean value, in units of what it may be, times the limit.
    var mean: Double
    /// A value without a logarithm, and where it is.
    var notPositive: (value: Double, place: Place)?
  }

  func measure(_ sample: AuditedSample) -> Measurement { modes.measure(sample) }

  private func deviation(_ ratio: Double, count: Int) -> Double {
    abs(Statistics.deviationOfSquares(ratio, count: count, degreesOfFreedom: modes.degreesOfFreedom))
  }

  func conclude(_ measurements: [Measurement]) -> CheckResult {
    guard let first = measurements.first else {
      return .notApplicable(name, "no sample has finite numbers")
    }
    var judged: [Judged] = []
    var sums = first.sums.map { _ in 0.0 }
    var counts = first.counts.map { _ in 0 }
    for measurement in measurements {
      if let (value, place) = measurement.notPositive {
        judged.append(Judged(value: .infinity, bound: Self.limit, place: place, detail: value))
        continue
      }
      let count = measurement.counts.reduce(0, +)
      let place = modes.place(measurement.sample)
      let ratio = measurement.sums.reduce(0, +) / Double(max(1, count))
      let deviation = deviation(ratio, count: max(1, count))
      judged.append(
        measurement.mean > deviation
          ? Judged(value: measurement.mean, bound: Self.limit, place: place, detail: -1)
          : Judged(value: deviation, bound: Self.limit, place: place, detail: ratio))
      for shell in sums.indices {
        sums[shell] += measurement.sums[shell]
        counts[shell] += measurement.counts[shell]
      }
    }
    var result = CheckResult(
      name, of: judged,
      reason:
        "deviation of the power, divided by that of the stated law and averaged over the modes, from 1, "
        + "in standard deviations; 6 is beyond chance",
      passing: "\(modes.everyBearer) the stated mean and spectrum"
    ) { wrong in
      if wrong.value == .infinity {
        return Finding(
          "the coefficient is \(Words.number(wrong.detail)), not positive", at: wrong.place,
          advice: "the equation has no solution there: leave the sample out")
      }
      return wrong.detail < 0
        ? Finding(
          "\(modes.bearer) has not the stated mean", at: wrong.place,
          advice: "subtract the difference, or correct the law that the file states")
        : Finding(
          "\(modes.bearer) has \(Words.number(wrong.detail)) times the power of the stated law",
          at: wrong.place,
          advice: "look for a wrong scale (the square root of that factor), or correct the stated law")
    }
    // Octaves of wave numbers: together their modes tell smaller differences than each alone.
    var worst: (first: Int, last: Int, ratio: Double, deviation: Double)?
    for first in sequence(first: 1, next: { 2 * $0 }).prefix(while: { $0 < sums.count }) {
      let last = min(2 * first, sums.count) - 1
      let count = counts[first...last].reduce(0, +)
      guard count > 0 else { continue }
      let ratio = sums[first...last].reduce(0, +) / Double(count)
      let deviation = deviation(ratio, count: count)
      if deviation > worst?.deviation ?? 0 { worst = (first, last, ratio, deviation) }
    }
    guard let worst, worst.deviation > Self.limit else { return result }
    // One sample of a wrong scale makes every octave wrong: the samples come first.
    let numbers =
      worst.first == worst.last
      ? "wave number \(worst.first) has" : "wave numbers \(worst.first) to \(worst.last) have"
    let finding = Finding(
      "\(numbers) \(Words.number(worst.ratio)) times the power of the stated law over all samples",
      advice: "correct the law that the file states, or draw the inputs again")
    if result.verdict == .pass {
      (result.value, result.worst, result.message) = (worst.deviation, nil, finding.text)
      result.failures = measurements.count
      result.verdict = .fail
    }
    result.findings = Array((result.findings + [finding]).prefix(CheckResult.findingLimit))
    return result
  }
}

/// The Fourier modes of the first frame, whose law has mean zero.
struct FourierModes: InputModes {
  let degreesOfFreedom = 2
  let bearer = "it"
  let everyBearer = "the first frames have"
  private let subject: Subject
  /// E |û|² on the stored grid by (|k|, |l|), the second one faster; û is normalised by the number of points.
  private let expected: [Double]
  private let shells: Int

  /// A law by its power E |û_k|² as a function of |k|².
  ///
  /// - Parameter drawnGrid: the points per axis on which the fields were drawn: a coarser stored grid takes some
  ///   of their modes for the same, and sees the sum of their powers.
  init(subject: Subject, drawnGrid: Int, power: (Double) -> Double) {
    self.subject = subject
    let grid = subject.description.grid
    let stored = grid[0]
    shells = min(InputLaw.largestShell, (stored - 1) / 2)
    let largest = (drawnGrid - 1) / 2
    /// The drawn wave numbers that the stored grid takes for k.
    func aliases(_ k: Int) -> [Int] {
      let reach = (largest + k) / stored
      return (-reach...reach).map { k + $0 * stored }.filter { abs($0) <= largest }
    }
    var expected: [Double] = []
    for k in 0...shells {
      for l in grid.count == 1 ? 0...0 : 0...shells {
        var sum = 0.0
        for x in aliases(k) {
          for y in grid.count == 1 ? [0] : aliases(l) where x != 0 || y != 0 {
            sum += power(Double(x * x + y * y))
          }
        }
        expected.append(sum)
      }
    }
    self.expected = expected
  }

  func place(_ sample: Int) -> Place { subject.place(sample, frame: 0) }

  func measure(_ sample: AuditedSample) -> InputLaw.Measurement {
    let field = sample.frame(0)
    let grid = field.shape
    let last = grid[grid.count - 1]
    let half = last / 2 + 1
    let spectrum = FFT.forward(field, dimensions: grid.count)
    var sums = [Double](repeating: 0, count: shells + 1)
    var counts = [Int](repeating: 0, count: shells + 1)
    let scale = 1 / Double(field.count * field.count)
    // Rounding adds white noise; modes below it say nothing.
    let size = field.withUnsafeBuffer { Frame.norm($0) }
    let noise = size * subject.rounding(ofFrame: 0)
    let floor = 100 * noise * noise / Double(field.count)
    let rows = grid.count == 1 ? 1 : grid[0]
    spectrum.withUnsafeBuffer { spectrum in
      for row in 0..<rows {
        let k = 2 * row < rows || rows == 1 ? row : row - rows
        for column in 0...shells where abs(k) <= shells && (column > 0 || k > 0) {
          let index = 2 * (row * half + column)
          let power = expected[grid.count == 1 ? column : abs(k) * (shells + 1) + column]
          guard power > floor else { continue }
          let found = spectrum[index] * spectrum[index] + spectrum[index + 1] * spectrum[index + 1]
          sums[max(abs(k), column)] += scale * found / power
          counts[max(abs(k), column)] += 1
        }
      }
    }
    // The mean over every stride-th point has the modes that the stored grid takes for constants.
    let allowed = InputLaw.limit * expected[0].squareRoot() + 2 * subject.rounding(ofFrame: 0) * size
    let mean = abs(field.withUnsafeBuffer { Frame.mean($0) })
    return InputLaw.Measurement(
      sample: sample.index, sums: sums, counts: counts,
      mean: InputLaw.limit * mean / max(allowed, 1e-13 * size))
  }
}
