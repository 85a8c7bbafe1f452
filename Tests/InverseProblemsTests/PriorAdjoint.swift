import InverseProblems
import Tensors
import Testing

/// Expects ⟨F c, f⟩ = ⟨c, Fᵀ f⟩ of the map F from coordinates to fields, for noise c and f.
func expectAdjointIsTranspose(_ prior: some Prior, sourceLocation: SourceLocation = #_sourceLocation) {
  var random = Philox(seed: 4, stream: .inputs)
  let coordinates = random.normal(shape: [prior.coordinateCount])
  let field = random.normal(shape: prior.grid)
  let image = prior.makeField(coordinates)
  let adjoint = Tensor<Double>(shape: coordinates.shape) { result in
    withPointers(field) { prior.applyAdjoint($0, into: result.baseAddress!) }
  }
  let (left, right) = withPointers(image, field, coordinates, adjoint) {
    (Double.dot(field.count, $0, $1), Double.dot(coordinates.count, $2, $3))
  }
  // Rounding: sums of as many products of numbers of size one as there are points.
  #expect(abs(left - right) < 1e-13 * Double(field.count), sourceLocation: sourceLocation)
  #expect(prior.coordinates.count == prior.coordinateCount, sourceLocation: sourceLocation)
}
