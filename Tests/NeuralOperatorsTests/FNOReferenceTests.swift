import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing

/// The FNO once more, in double precision and plain loops: full FFTs, `erf` of libm, one sample at a time.
private struct PlainFNO {
  let configuration: FNO.Configuration
  let weights: [String: Tensor<Double>]

  init(_ model: FNO) {
    configuration = model.configuration
    weights = Dictionary(
      uniqueKeysWithValues: model.namedParameters.map { ($0.name, Tensor(converting: $0.parameter.value)) })
  }

  /// `[channel, ...grid]` to `[channel, ...grid]`.
  func callAsFunction(_ u: Tensor<Double>) -> Tensor<Double> {
    let grid = u.shape.dropFirst()
    var v = linear(withCoordinates(u, grid), "lifting")
    let padded = Shape(zip(grid, configuration.padding).map(+))
    v = resized(v, to: padded)
    for layer in 0..<configuration.layers {
      let name = "layers.\(layer)"
      var z = zip(spectral(v, "\(name).spectral.weight").scalars, linear(v, "\(name).skip").scalars).map(+)
      if configuration.normalization == .batch { normalize(&z, "\(name).normalization") }
      if layer < configuration.layers - 1 { z = z.map(activate) }
      v = Tensor(shape: v.shape, scalars: z)
    }
    let hidden = linear(resized(v, to: grid), "projection.hidden")
    return linear(Tensor(shape: hidden.shape, scalars: hidden.scalars.map(activate)), "projection.output")
  }

  private func activate(_ x: Double) -> Double {
    configuration.activation == .relu ? max(x, 0) : 0.5 * x * (1 + erf(x / 2.0.squareRoot()))
  }

  private func withCoordinates(_ u: Tensor<Double>, _ grid: Shape) -> Tensor<Double> {
    var values = u.scalars
    for axis in grid.indices {
      let inner = grid[(axis + 1)...].reduce(1, *)
      for point in 0..<grid.reduce(1, *) {
        values.append(Double(point / inner % grid[axis]) / Double(grid[axis] - 1))
      }
    }
    return Tensor(shape: [u.shape[0] + grid.count] + grid, scalars: values)
  }

  private func linear(_ u: Tensor<Double>, _ name: String) -> Tensor<Double> {
    let (w, b, values) = (weights["\(name).weight"]!, weights["\(name).bias"]!, u.scalars)
    let points = values.count / u.shape[0]
    let result = (0..<w.shape[0]).flatMap { o in
      (0..<points).map { point in
        (0..<w.shape[1]).reduce(b[o]) { $0 + w[o, $1] * values[$1 * points + point] }
      }
    }
    return Tensor(shape: [w.shape[0]] + u.shape.dropFirst(), scalars: result)
  }

  private func normalize(_ z: inout [Double], _ name: String) {
    let parts = ["running.mean", "running.variance", "scale", "shift"].map {
      weights["\(name).\($0)"]!.scalars
    }
    let points = z.count / parts[0].count
    for index in z.indices {
      let channel = index / points
      z[index] = (z[index] - parts[0][channel]) / (parts[1][channel] + 1e-5).squareRoot()
      z[index] = z[index] * parts[2][channel] + parts[3][channel]
    }
  }

  /// A grid or the kept rows of a spectrum as those of three axes, the missing ones of length 1 in front.
  private func threeAxes(_ shape: Shape) -> Shape { Shape(repeating: 1, count: 3 - shape.count) + shape }

  private func resized(_ u: Tensor<Double>, to grid: Shape) -> Tensor<Double> {
    let old = u.reshaped(to: [u.shape[0]] + threeAxes(u.shape.dropFirst()))
    var result = Tensor<Double>(shape: [u.shape[0]] + threeAxes(grid))
    for c in 0..<u.shape[0] {
      for i in 0..<min(old.shape[1], result.shape[1]) {
        for j in 0..<min(old.shape[2], result.shape[2]) {
          for k in 0..<min(old.shape[3], result.shape[3]) { result[c, i, j, k] = old[c, i, j, k] }
        }
      }
    }
    return result.reshaped(to: [u.shape[0]] + grid)
  }

  private func spectral(_ u: Tensor<Double>, _ name: String) -> Tensor<Double> {
    let grid = u.shape.dropFirst()
    let (channels, half) = (u.shape[0], grid[grid.count - 1] / 2 + 1)
    let n = threeAxes(grid.dropLast() + [half])
    let weight = weights[name]!
    let kept = threeAxes(weight.shape.prefix(grid.count))
    let w = weight.reshaped(to: kept + [2, channels, channels])
    let spectrum = FFT.forward(u, dimensions: grid.count).reshaped(to: [channels] + n + [2])
    var mixed = Tensor<Double>(shape: [channels] + n + [2])
    func frequency(_ row: Int, _ axis: Int) -> Int {
      2 * row < kept[axis] || kept[axis] == 1 ? row : n[axis] - kept[axis] + row
    }
    for (a, b, c) in (0..<kept[0]).flatMap({ a in
      (0..<kept[1]).flatMap { b in (0..<kept[2]).map { (a, b, $0) } }
    }) {
      let (i, j) = (frequency(a, 0), frequency(b, 1))
      for o in 0..<channels {
        for channel in 0..<channels {
          let (xr, xi) = (spectrum[channel, i, j, c, 0], spectrum[channel, i, j, c, 1])
          let (rr, ri) = (w[a, b, c, 0, channel, o], w[a, b, c, 1, channel, o])
          mixed[o, i, j, c, 0] += xr * rr - xi * ri
          mixed[o, i, j, c, 1] += xr * ri + xi * rr
        }
      }
    }
    return FFT.inverse(
      mixed.reshaped(to: [channels] + grid.dropLast() + [half, 2]), shape: grid)
  }
}

@Suite struct FNOReferenceTests {
  private static let cases: [(FNO.Configuration, Shape)] = [
    (.modern(dimensions: 2, inputChannels: 2, width: 6, modes: 3, padding: 2), [9, 10]),
    (.fno2020(dimensions: 2, width: 5, modes: 2), [8, 7]), (.fno2020(dimensions: 1, width: 6, modes: 5), [9]),
    (.modern(dimensions: 1, outputChannels: 3, width: 17, modes: 4, padding: 3), [12]),
    (.modern(dimensions: 3, inputChannels: 2, width: 4, modes: 2, padding: 1), [5, 6, 4]),
    (.fno2020(dimensions: 3, width: 3, modes: 2), [6, 4, 5]),
  ]

  @Test(arguments: cases)
  func equalsThePlainModel(configuration: FNO.Configuration, grid: Shape) {
    let model = FNO(configuration, seed: 3)
    let u = randomTensor([4, configuration.inputChannels] + grid, sample: 1)
    _ = model(Variable(u), on: Tape())  // moves the running statistics
    let result = model(Variable(u), on: .inference).value
    let plain = PlainFNO(model)
    for sample in 0..<4 {
      let input = Tensor<Double>(converting: u[first: sample..<sample + 1])
        .reshaped(to: [configuration.inputChannels] + grid)
      let expected = plain(input)
      let output = Tensor<Double>(converting: result[first: sample..<sample + 1]).reshaped(to: expected.shape)
      // Some ten layers of single-precision sums, each within a few ulp (1e-7).
      #expect(relativeError(output, expected) < 3e-6)
    }
  }
}
