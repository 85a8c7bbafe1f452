import Foundation
import Tensors

/// The cosine modes of log(a / median): independent and normal for a log-normal coefficient a.
struct LogNormalModes: InputModes {
  let degreesOfFreedom = 1
  let bearer = "its logarithm"
  var everyBearer: String { "the logarithms of '\(field)' have" }

  private let subject: Subject
  private let field: String
  private let median: Double
  private let side: Int
  private let shells: Int
  /// The variance of the coefficient of cos πkx cos πly on the stored grid by (k, l), the second one faster.
  private let expected: [Double]

  /// A law by the variance of the coefficients of cosines of unit norm, as a function of |k|².
  ///
  /// - Parameter drawnGrid: the vertices per axis on which the fields were drawn, of which every so many-th one is
  ///   stored: a coarser grid takes some of their modes for the same, and sees the sum of their variances.
  init(subject: Subject, field: String, drawnGrid: Int, median: Double, power: (Double) -> Double) {
    self.subject = subject
    self.field = field
    self.median = median
    side = subject.description.grid[0]
    // Beyond the middle the modes that are taken for one another differ little.
    shells = min(InputLaw.largestShell, (side - 1) / 2)
    let period = 2 * (side - 1)
    /// The drawn wave numbers that the stored grid takes for k.
    func aliases(_ k: Int) -> [Int] {
      (0..<drawnGrid).filter { $0 % period == k || $0 % period == period - k }
    }
    let alike = (0...shells).map(aliases)
    var expected: [Double] = []
    for rows in alike {
      for columns in alike {
        var sum = 0.0
        for k in rows {
          for l in columns where k != 0 || l != 0 {
            sum += (k == 0 ? 1 : 2) * (l == 0 ? 1 : 2) * power(Double(k * k + l * l))
          }
        }
        expected.append(sum)
      }
    }
    self.expected = expected
  }

  func place(_ sample: Int) -> Place { Place(sample: sample, field: field) }

  func measure(_ sample: AuditedSample) -> InputLaw.Measurement {
    var result = InputLaw.Measurement(
      sample: sample.index, sums: [Double](repeating: 0, count: shells + 1),
      counts: [Int](repeating: 0, count: shells + 1), mean: 0)
    var logarithm = Tensor<Double>(shape: [side, side])
    sample.withFrame(0, of: field) { values in
      if let position = values.firstIndex(where: { !($0 > 0) }) {
        let point = Frame.point(position, grid: [side, side])
        result.notPositive = (
          values[position], Place(sample: sample.index, field: field, point: point)
        )
        return
      }
      logarithm.withUnsafeMutableBuffer { logarithm in
        for index in values.indices { logarithm[index] = log(values[index] / median) }
      }
    }
    guard result.notPositive == nil else { return result }
    // The sums over vertices, those on the boundary counted half, twice per axis.
    let transform = CosineTransform(shape: [side, side])
    let sums = Tensor<Double>(shape: [side, side]) { sums in
      logarithm.withUnsafeBuffer { transform($0.baseAddress!, sums.baseAddress!) }
    }
    let cells = Double(side - 1)
    // A rounding of a changes log a by as much, whatever its size: white noise. Modes below it say nothing.
    let noise = (subject.rounding[field] ?? 0) / cells
    for k in 0...shells {
      for l in 0...shells {
        let scale = (k == 0 ? 0.5 : 1) * (l == 0 ? 0.5 : 1) / (cells * cells)
        let coefficient = scale * sums[k, l]
        let variance = expected[k * (shells + 1) + l]
        if k == 0, l == 0 {
          let allowed = InputLaw.limit * variance.squareRoot() + 2 * (subject.rounding[field] ?? 0)
          result.mean = InputLaw.limit * abs(coefficient) / max(allowed, 1e-13)
        } else if variance > 400 * noise * noise {
          result.sums[max(k, l)] += coefficient * coefficient / variance
          result.counts[max(k, l)] += 1
        }
      }
    }
    return result
  }
}
