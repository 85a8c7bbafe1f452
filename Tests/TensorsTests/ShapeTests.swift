import Foundation
import Tensors
import Testing

@Suite struct ShapeTests {
  @Test func isWrittenAndReadAsAnArray() throws {
    let shape: Shape = [20, 1, 85, 85]
    #expect("\(shape)" == "[20, 1, 85, 85]")
    #expect(Array(shape) == [20, 1, 85, 85] && shape.count == 4)
    #expect(shape.elementCount == 20 * 85 * 85 && Shape().elementCount == 1)
    let data = try JSONEncoder().encode(shape)
    #expect(String(decoding: data, as: UTF8.self) == "[20,1,85,85]")
    #expect(try JSONDecoder().decode(Shape.self, from: data) == shape)
  }

  @Test func partsAndSumsAreShapes() {
    let shape: Shape = [2, 3, 4, 5]
    #expect(shape.dropFirst(2) == [4, 5] && shape.dropFirst()[0] == 3 && shape.dropFirst(9) == [])
    #expect(shape.dropLast() == [2, 3, 4] && shape.dropLast(9) == [])
    #expect(shape.prefix(1) == [2] && shape.suffix(2) == [4, 5] && shape.suffix(9) == shape)
    #expect([7] + shape.dropFirst(3) == [7, 5])
    #expect(Shape(repeating: 6, count: 3) == [6, 6, 6])
    #expect(Shape(count: 3) { 2 * $0 + 1 } == [1, 3, 5])
  }

  /// What lies behind the last axis does not matter.
  @Test func equalityIsThatOfTheLengths() {
    var shape: Shape = [2, 3]
    shape.append(4)
    #expect(shape == [2, 3, 4] && shape.dropLast() == [2, 3] && shape != [2, 3] && shape != [2, 3, 5])
    #expect(Set([shape.dropLast(), [2, 3], [3, 2]]).count == 2)
    shape[1] = 9
    #expect(shape == [2, 9, 4])
  }

  @Test func tooManyAxesAreRefused() {
    let most = Array(1...Shape.longest)
    #expect(Shape(exactly: most).map(Array.init) == most)
    #expect(Shape(exactly: most + [1]) == nil)
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(Shape.self, from: JSONEncoder().encode(most + [1]))
    }
  }
}
