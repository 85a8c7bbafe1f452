import Foundation
import Solvers
import Tensors

/// The Galerkin method for a `SemilinearEquation` as it is written in books: coefficients of all wave numbers up
/// to `largest`, products by convolution sums, the classical Runge–Kutta method.
///
/// It shares the symbols and the polynomial with the solver, and nothing else.
struct PlainGalerkin {
  /// Coefficients of |k|, |l| ≤ size along x and y; in one dimension all l are 0.
  struct Spectrum {
    let sizeX: Int
    let sizeY: Int
    var values: [Complex]

    init(_ sizeX: Int, _ sizeY: Int) {
      (self.sizeX, self.sizeY) = (sizeX, sizeY)
      values = [Complex](repeating: Complex(0), count: (2 * sizeX + 1) * (2 * sizeY + 1))
    }

    subscript(k: Int, l: Int) -> Complex {
      get { values[(k + sizeX) * (2 * sizeY + 1) + l + sizeY] }
      set { values[(k + sizeX) * (2 * sizeY + 1) + l + sizeY] = newValue }
    }

    /// The spectrum of the product of two fields.
    static func * (a: Spectrum, b: Spectrum) -> Spectrum {
      var result = Spectrum(a.sizeX + b.sizeX, a.sizeY + b.sizeY)
      for k in -a.sizeX...a.sizeX {
        for l in -a.sizeY...a.sizeY {
          let factor = a[k, l]
          for p in -b.sizeX...b.sizeX {
            for q in -b.sizeY...b.sizeY {
              result[k + p, l + q] = result[k + p, l + q] + factor * b[p, q]
            }
          }
        }
      }
      return result
    }

    /// self + scale · other.
    func adding(_ scale: Double, _ other: Spectrum) -> Spectrum {
      var result = self
      for index in values.indices { result.values[index] = values[index] + scale * other.values[index] }
      return result
    }
  }

  let equation: any SemilinearEquation
  let largest: Int

  init(_ equation: some SemilinearEquation, largest: Int) {
    self.equation = equation
    self.largest = largest
  }

  private var isFlat: Bool { equation.dimensions == 1 }
  private var zero: Spectrum { Spectrum(largest, isFlat ? 0 : largest) }

  /// The field at t = `time`, of the shape of `initial`.
  func solve(_ initial: Tensor<Double>, until time: Double, steps: Int) -> Tensor<Double> {
    let h = time / Double(steps)
    var u = coefficients(initial)
    for _ in 0..<steps {
      let k1 = rate(u)
      let k2 = rate(u.adding(h / 2, k1))
      let k3 = rate(u.adding(h / 2, k2))
      let k4 = rate(u.adding(h, k3))
      u = u.adding(h / 6, k1).adding(h / 3, k2).adding(h / 3, k3).adding(h / 6, k4)
    }
    return Tensor(shape: initial.shape, scalars: values(u))
  }

  /// L u + N(u).
  private func rate(_ u: Spectrum) -> Spectrum {
    var polynomial = zero
    var power = Spectrum(0, 0)
    power[0, 0] = Complex(1)
    for coefficient in equation.polynomial {
      if coefficient != 0 {
        for k in -min(largest, power.sizeX)...min(largest, power.sizeX) {
          for l in -min(zero.sizeY, power.sizeY)...min(zero.sizeY, power.sizeY) {
            polynomial[k, l] = polynomial[k, l] + coefficient * power[k, l]
          }
        }
      }
      power = power * u
    }
    var result = zero
    let unit = 2 * Double.pi / equation.length
    for k in -largest...largest {
      for l in -zero.sizeY...zero.sizeY {
        let wave = WaveVector(x: unit * Double(k), y: unit * Double(l))
        let linear: Complex = equation.linearSymbol(wave) * u[k, l]
        result[k, l] = linear + equation.nonlinearSymbol(wave) * polynomial[k, l]
      }
    }
    return result
  }

  private func phase(_ k: Int, _ l: Int, _ point: Int, _ sign: Double) -> Complex {
    let n = equation.grid
    let turns = isFlat ? k * point : k * (point / n) + l * (point % n)
    let angle = sign * 2 * Double.pi * Double(turns % n) / Double(n)
    return Complex(cos(angle), sin(angle))
  }

  private func coefficients(_ field: Tensor<Double>) -> Spectrum {
    var result = zero
    let values = field.scalars
    for k in -largest...largest {
      for l in -zero.sizeY...zero.sizeY {
        for point in values.indices {
          let share: Complex = (values[point] / Double(values.count)) * phase(k, l, point, -1)
          result[k, l] = result[k, l] + share
        }
      }
    }
    return result
  }

  private func values(_ u: Spectrum) -> [Double] {
    (0..<equation.gridShape.reduce(1, *)).map { point in
      var sum = 0.0
      for k in -largest...largest {
        for l in -zero.sizeY...zero.sizeY { sum += (u[k, l] * phase(k, l, point, 1)).real }
      }
      return sum
    }
  }
}
