import Foundation
import Tensors

/// The lowest Fourier coefficients of a periodic field: the quantities by which mixing of a chain is judged.
///
/// They are what observations of a smooth flow inform most, and they move slowest.
public enum FourierModes {
  /// The wavenumbers that are followed, one representative of each ± pair.
  static func wavenumbers(dimensions: Int) -> [[Int]] {
    dimensions == 1 ? [[1], [2]] : [[1, 0], [0, 1], [1, 1], [1, -1]]
  }

  /// The names of the quantities: `cos(1,0)`, `sin(1,0)` and so on.
  public static func names(grid: [Int]) -> [String] {
    wavenumbers(dimensions: grid.count).flatMap { wavenumber in
      let label = wavenumber.map(String.init).joined(separator: ",")
      return ["cos(\(label))", "sin(\(label))"]
    }
  }

  /// The coefficients of cos 2πk·x and sin 2πk·x in a field on the unit torus.
  public static func values(of field: Tensor<Double>) -> [Double] {
    let grid = field.shape
    let rows = grid.count == 1 ? 1 : grid[0]
    let columns = grid[grid.count - 1]
    return withPointers(field) { field in
      wavenumbers(dimensions: grid.count).flatMap { wavenumber -> [Double] in
        let kx = grid.count == 1 ? 0 : wavenumber[0]
        let ky = wavenumber[wavenumber.count - 1]
        // exp(2πi(kx x + ky y)) is a product: one table per axis instead of a sine per point.
        let rowPhases = phases(kx, rows)
        let columnPhases = phases(ky, columns)
        var (cosine, sine) = (0.0, 0.0)
        for x in 0..<rows {
          var (c, s) = (0.0, 0.0)
          for y in 0..<columns {
            c += field[x * columns + y] * columnPhases[y].0
            s += field[x * columns + y] * columnPhases[y].1
          }
          cosine += c * rowPhases[x].0 - s * rowPhases[x].1
          sine += s * rowPhases[x].0 + c * rowPhases[x].1
        }
        let scale = 2 / Double(rows * columns)
        return [cosine * scale, sine * scale]
      }
    }
  }

  private static func phases(_ wavenumber: Int, _ points: Int) -> [(Double, Double)] {
    (0..<points).map { point in
      let angle = 2 * Double.pi * Double(wavenumber * point) / Double(points)
      return (cos(angle), sin(angle))
    }
  }
}
