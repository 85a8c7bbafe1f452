import Solvers
import Tensors

/// A Gaussian prior with mean zero: what is believed of the unknown before any observation.
///
/// Given by a factor of its covariance, C = L Lᵀ: a field is w = L ξ, and under the prior the coordinates ξ
/// are independent standard normal numbers. Samplers and optimizers work with ξ: there the prior is the same
/// whatever the covariance, and on a finer grid coordinates are added but none changes its meaning.
public protocol Prior: Sendable {
  /// The shape of one field.
  var grid: Shape { get }

  /// What each coordinate is; their number is the dimension of the problem.
  ///
  /// The most influential ones come first.
  var coordinates: [PriorCoordinate] { get }

  /// The number of coordinates.
  var coordinateCount: Int { get }

  /// The variance of the field at every point of the grid.
  var variances: Tensor<Double> { get }

  /// The field w = L ξ.
  func makeField(_ coordinates: UnsafePointer<Double>, into field: UnsafeMutablePointer<Double>)

  /// The product Lᵀ v: from a gradient with respect to the field to one with respect to the coordinates.
  ///
  /// - Parameter field: aligned to 16 bytes, as the start of every tensor is.
  func applyAdjoint(_ field: UnsafePointer<Double>, into coordinates: UnsafeMutablePointer<Double>)
}

/// What a coordinate of a prior is.
public struct PriorCoordinate: Sendable, Equatable {
  /// Its name: `cos(1,0)`.
  public let name: String
  /// The length of its wave number vector, in periods per unit of length.
  public let wavenumber: Double
  /// What one unit of it adds to the field: the standard deviation of that coefficient under the prior.
  public let amplitude: Double

  /// A coordinate; see the properties.
  public init(name: String, wavenumber: Double, amplitude: Double) {
    self.name = name
    self.wavenumber = wavenumber
    self.amplitude = amplitude
  }
}

extension Prior {
  /// The number of grid points.
  var points: Int { grid.reduce(1, *) }

  /// The field of one point of the coordinate space.
  public func makeField(_ coordinates: Tensor<Double>) -> Tensor<Double> {
    precondition(
      coordinates.count == coordinateCount, "\(coordinates.count) of \(coordinateCount) coordinates")
    return Tensor(shape: grid) { field in
      withPointers(coordinates) { makeField($0, into: field.baseAddress!) }
    }
  }

  /// The fields `[chain, 1, ...grid]` of several points `[chain, coordinate]`.
  func makeFields(_ coordinates: Tensor<Double>) -> Tensor<Double> {
    let (chains, count, points) = (coordinates.shape[0], coordinateCount, points)
    return Tensor(shape: [chains, 1] + grid) { fields in
      let fields = fields.baseAddress!
      withPointers(coordinates) { coordinates in
        parallelFor(chains) { range in
          for chain in range { makeField(coordinates + chain * count, intoPart: fields + chain * points) }
        }
      }
    }
  }

  /// The field of one point, into a part of a batch: those of odd grids are not aligned as transforms want it.
  func makeField(_ coordinates: UnsafePointer<Double>, intoPart field: UnsafeMutablePointer<Double>) {
    guard UInt(bitPattern: field) % 16 != 0 else { return makeField(coordinates, into: field) }
    var aligned = Tensor<Double>(shape: [points])
    aligned.withUnsafeMutableBuffer { aligned in
      makeField(coordinates, into: aligned.baseAddress!)
      field.update(from: aligned.baseAddress!, count: points)
    }
  }

  /// The products Lᵀ v `[chain, coordinate]` of several fields.
  func applyAdjoint(_ fields: Tensor<Double>) -> Tensor<Double> {
    let (chains, count, points) = (fields.shape[0], coordinateCount, points)
    return Tensor(shape: [chains, count]) { coordinates in
      let coordinates = coordinates.baseAddress!
      withPointers(fields) { fields in
        parallelFor(chains) { range in
          var field = Tensor<Double>(shape: [points])
          for chain in range {
            field.withUnsafeMutableBuffer { field in
              field.baseAddress!.update(from: fields + chain * points, count: points)
              applyAdjoint(field.baseAddress!, into: coordinates + chain * count)
            }
          }
        }
      }
    }
  }
}

extension PeriodicGaussianField: Prior {
  /// The same everywhere.
  public var variances: Tensor<Double> { Tensor(shape: grid, repeating: pointVariance) }

  /// The number of coordinates: a cosine and a sine per mode of the grid.
  public var coordinateCount: Int { coefficientCount }

  /// The coefficients of the Karhunen-Loève series, mode by mode, `cos(k,l)` before `sin(k,l)`.
  public var coordinates: [PriorCoordinate] {
    heldModes.flatMap { mode in
      let label = mode.wavenumber.map(String.init).joined(separator: ",")
      let squared = mode.wavenumber.reduce(0) { $0 + $1 * $1 }
      return ["cos", "sin"].map { function in
        PriorCoordinate(
          name: "\(function)(\(label))", wavenumber: Double(squared).squareRoot(), amplitude: mode.amplitude)
      }
    }
  }

  /// The field of the given coefficients.
  public func makeField(_ coordinates: UnsafePointer<Double>, into field: UnsafeMutablePointer<Double>) {
    synthesize(coordinates, into: field)
  }

  /// The adjoint of `makeField`.
  public func applyAdjoint(_ field: UnsafePointer<Double>, into coordinates: UnsafeMutablePointer<Double>) {
    synthesizeAdjoint(field, into: coordinates)
  }
}

extension NeumannGaussianField: Prior {
  /// The number of coordinates: one per mode of the grid.
  public var coordinateCount: Int { coefficientCount }

  /// The coefficients of the cosine series.
  public var coordinates: [PriorCoordinate] {
    heldModes.map { mode in
      let squared = mode.wavenumber.reduce(0) { $0 + $1 * $1 }
      // Wave numbers count half periods.
      return PriorCoordinate(
        name: "cos(\(mode.wavenumber.map(String.init).joined(separator: ",")))",
        wavenumber: Double(squared).squareRoot() / 2, amplitude: mode.amplitude)
    }
  }

  /// The field of the given coefficients.
  public func makeField(_ coordinates: UnsafePointer<Double>, into field: UnsafeMutablePointer<Double>) {
    synthesize(coordinates, into: field)
  }

  /// The adjoint of `makeField`.
  public func applyAdjoint(_ field: UnsafePointer<Double>, into coordinates: UnsafeMutablePointer<Double>) {
    synthesizeAdjoint(field, into: coordinates)
  }
}
