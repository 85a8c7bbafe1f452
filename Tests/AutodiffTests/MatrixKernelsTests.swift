import CKernels
import Foundation
import Tensors
import Testing

/// The matrix kernels of every instruction set that this machine has, against plain loops in double precision.
@Suite struct MatrixKernelsTests {
  private static let instructions = [CK_BASELINE, CK_AVX2, CK_AVX512]

  private func noise(_ count: Int, _ sample: Int) -> [Float] {
    var random = Philox(seed: 5, stream: .inputs, sample: sample)
    return (0..<count).map { _ in Float(random.nextNormal()) }
  }

  /// The relative error of a sum of n products of order one: n roundings of 6e-8 that add up like a random
  /// walk, with a margin of ten standard deviations.
  private func tolerance(_ inner: Int) -> Double { 10 * 6e-8 * Double(inner) }

  /// Rows and columns around the sizes of blocks, tiles and panels, sums longer than one visit of the result; A as it is and
  /// given by its transpose.
  @Test(
    arguments: instructions,
    [
      (1, 1, 1), (3, 47, 5), (8, 48, 16), (13, 85, 32), (20, 49, 900), (1, 50, 7), (2, 96, 400),
      (21, 2000, 3), (20, 24, 64), (7, 56, 30), (9, 40, 500), (5, 6, 8),
      (9, 20, 13), (7, 28, 6), (3, 60, 9),
    ])
  func products(instructions: ck_instructions, size: (Int, Int, Int)) {
    let (rows, columns, inner) = size
    let (bStride, cStride) = (columns + 3, columns + 1)
    let b = noise(inner * bStride, 1)
    for isTransposed in [false, true] {
      let (row, column) = isTransposed ? (1, rows + 2) : (inner + 2, 1)
      let a = noise((inner + 2) * (rows + 2), 0)
      var c = [Float](repeating: 7, count: rows * cStride)
      a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
          var factors = ck_factors(
            inner: inner, a: a.baseAddress, row: row, column: column, b: b.baseAddress, b_row: bStride)
          ck_product_using(instructions, rows, columns, &factors, nil, &c, cStride)
        }
      }
      for r in 0..<rows {
        for j in 0..<columns {
          let sum = (0..<inner).reduce(0.0) {
            $0 + Double(a[r * row + $1 * column]) * Double(b[$1 * bStride + j])
          }
          #expect(abs(Double(c[r * cStride + j]) - sum) <= tolerance(inner))
        }
        #expect(r == rows - 1 || c[r * cStride + columns] == 7, "nothing behind a row is touched")
      }
    }
  }

  /// Axes of (points, frequencies, row, outer): odd lengths, even ones with and without a middle of each half, more points or
  /// frequencies than one visit takes, rows around the sizes of vectors and tiles.
  @Test(
    arguments: instructions,
    [
      (1, 0, 3, 2), (2, 1, 8, 1), (3, 1, 1, 2), (4, 2, 20, 3), (5, 2, 25, 1), (6, 3, 48, 2), (8, 1, 101, 1),
      (64, 12, 64, 2), (85, 12, 85, 1), (94, 12, 50, 1), (801, 7, 26, 1), (812, 9, 49, 1), (810, 400, 9, 1),
      (397, 198, 5, 2), (8, 2, 20, 2), (12, 3, 28, 1), (6, 2, 44, 1),
    ])
  func axes(instructions: ck_instructions, size: (Int, Int, Int, Int)) {
    let (n, m, row, outer) = size
    let sums = 2 * m + 1
    let (cosines, sines) = axisMatrices(points: n, modes: m)
    let (points, folded) = (noise(outer * n * row, 0), noise(outer * sums * row, 1))
    var (added, expanded) = (
      [Float](repeating: 7, count: folded.count + 1), [Float](repeating: 7, count: points.count + 1)
    )
    cosines.withUnsafeBufferPointer { cosines in
      sines.withUnsafeBufferPointer { sines in
        var axis = ck_axis(
          outer: outer, points: n, m: m, row: row, cosines: cosines.baseAddress, sines: sines.baseAddress)
        ck_sum_axis_using(instructions, &axis, points, &added)
        ck_expand_axis_using(instructions, &axis, folded, &expanded)
      }
    }
    /// What belongs to the sum `index` and the point i.
    func factor(_ index: Int, _ i: Int) -> Double {
      index <= m ? cos(angle(index, i, of: n)) : sin(angle(index - m, i, of: n))
    }
    for first in 0..<outer {
      for column in Set([0, row / 2, row - 1]) {
        for index in 0..<sums {
          let sum = (0..<n).reduce(0.0) {
            $0 + factor(index, $1) * Double(points[(first * n + $1) * row + column])
          }
          #expect(abs(Double(added[(first * sums + index) * row + column]) - sum) <= tolerance(n))
        }
        for i in 0..<n {
          let sum = (0..<sums).reduce(0.0) {
            $0 + factor($1, i) * Double(folded[(first * sums + $1) * row + column])
          }
          #expect(abs(Double(expanded[(first * n + i) * row + column]) - sum) <= tolerance(sums + 1))
        }
      }
    }
    #expect(added[folded.count] == 7 && expanded[points.count] == 7, "nothing behind the end is touched")
  }

  /// 2π f i / n.
  private func angle(_ f: Int, _ i: Int, of n: Int) -> Double {
    2 * Double.pi * Double(f * i % n) / Double(n)
  }

  /// The cosines and sines of an axis, as `ck_axis` wants them.
  private func axisMatrices(points n: Int, modes m: Int) -> (cosines: [Float], sines: [Float]) {
    func rows(_ frequencies: some Sequence<Int>, _ function: (Double) -> Double) -> [Float] {
      frequencies.flatMap { f in (0...n / 2).map { Float(function(angle(f, $0, of: n))) } }
    }
    return (rows(0...m, cos), rows((0..<m).lazy.map { $0 + 1 }, sin))
  }

  /// (points, m, row, points at once): even and odd, whole quarters and not; rows around the sizes of vectors and tiles.
  @Test(
    arguments: instructions,
    [
      (2, 1, 16, 1), (3, 1, 17, 1), (4, 2, 20, 2), (5, 2, 33, 3), (6, 3, 48, 1), (64, 12, 64, 6),
      (85, 12, 85, 8), (94, 12, 94, 4), (94, 47, 31, 24), (61, 7, 101, 7),
    ])
  func somePointsOfAnAxis(instructions: ck_instructions, size: (Int, Int, Int, Int)) {
    let (n, m, row, atOnce) = size
    let (sums, channels) = (2 * m + 1, 3)
    let (cosines, sines) = axisMatrices(points: n, modes: m)
    let folded = noise(channels * sums * row, 0)
    var whole = [Float](repeating: 7, count: channels * n * row)
    let pointCount = n % 2 == 0 ? n / 4 + 1 : n / 2 + 1
    let blocks = n % 2 == 0 ? 4 : 2
    var isMade = [Bool](repeating: false, count: n)
    cosines.withUnsafeBufferPointer { cosines in
      sines.withUnsafeBufferPointer { sines in
        var axis = ck_axis(
          outer: channels, points: n, m: m, row: row, cosines: cosines.baseAddress, sines: sines.baseAddress)
        ck_expand_axis_using(instructions, &axis, folded, &whole)
        axis.outer = 1
        for first in stride(from: 0, to: pointCount, by: atOnce) {
          let last = min(first + atOnce, pointCount)
          let rows = blocks * (last - first)
          var some = [Float](repeating: 7, count: channels * rows * row + 1)
          ck_expand_some_using(instructions, channels, &axis, first, last, folded, &some)
          #expect(some[channels * rows * row] == 7, "nothing behind the end is touched")
          for place in 0..<rows {
            let (block, step) = (place / (last - first), place % (last - first))
            let point = block == 0 || block == 3 ? first + step : last - 1 - step
            let isImage = block > 0 && (point == 0 && block != 2 || block > 1 && 4 * point == n)
            let i = [point, n - point, n / 2 - point, n / 2 + point][block]
            if !isImage {
              #expect(!isMade[i])
              isMade[i] = true
            }
            for channel in 0..<channels {
              let made = some[(channel * rows + place) * row..<(channel * rows + place + 1) * row]
              if isImage {
                #expect(made.allSatisfy { $0 == 7 }, "nothing between is touched")
              } else {
                // The terms are added up in the same order.
                #expect(made.elementsEqual(whole[(channel * n + i) * row..<(channel * n + i + 1) * row]))
              }
            }
          }
        }
      }
    }
    #expect(!isMade.contains(false))
  }

  /// (m, quarter, first point, points): none or all of a quarter, tiles that are whole and not; into rows of a field
  /// and into rows that have these points alone.
  @Test(
    arguments: instructions,
    [(1, 1, 0, 1), (2, 5, 1, 3), (7, 16, 0, 16), (16, 256, 192, 64), (5, 100, 10, 77), (200, 128, 0, 128)])
  func quarters(instructions: ck_instructions, size: (Int, Int, Int, Int)) {
    let (m, quarter, start, count) = size
    let channels = 3
    let frequencies = Array(stride(from: 0, to: m, by: 2)) + Array(stride(from: 1, to: m, by: 2))
    func angle(_ f: Int, _ i: Int) -> Double {
      2 * Double.pi * Double(f) * (Double(i) + 0.5) / Double(4 * quarter)
    }
    let cosines = frequencies.flatMap { f in (0..<quarter).map { Float(cos(angle(f, $0))) } }
    let sines = frequencies.flatMap { f in (0..<quarter).map { Float(sin(angle(f, $0))) } }
    let sums = noise(channels * 2 * m, 0)
    var field = [Float](repeating: 7, count: channels * 4 * quarter)
    var piece = [Float](repeating: 7, count: channels * 4 * count + 1)
    var packed = [Float](repeating: 0, count: 2 * m * Int(CK_WIDEST_TILE))
    cosines.withUnsafeBufferPointer { cosines in
      sines.withUnsafeBufferPointer { sines in
        var kernel = ck_quarters(
          m: m, length: quarter, cosines: cosines.baseAddress, sines: sines.baseAddress)
        ck_expand_quarters_using(
          instructions, channels, &kernel, sums, start, count, &packed, quarter, start, &field)
        ck_expand_quarters_using(
          instructions, channels, &kernel, sums, start, count, &packed, count, 0, &piece)
      }
    }
    for channel in 0..<channels {
      for i in 0..<4 * quarter {
        let inQuarter = i / quarter % 2 == 0 ? i % quarter : quarter - 1 - i % quarter
        let value = Double(field[channel * 4 * quarter + i])
        guard inQuarter >= start && inQuarter < start + count else {
          #expect(value == 7, "nothing else is touched")
          continue
        }
        let sum = frequencies.enumerated().reduce(0.0) { sum, next in
          let (index, f) = next
          return sum + Double(sums[channel * 2 * m + index]) * cos(angle(f, i))
            + Double(sums[channel * 2 * m + m + index]) * sin(angle(f, i))
        }
        #expect(abs(value - sum) <= tolerance(2 * m + 1))
        // A piece of an odd quarter comes backwards, and ends where that of an even one begins.
        let place = i / quarter % 2 == 0 ? inQuarter - start : count - 1 - (inQuarter - start)
        #expect(Double(piece[(channel * 4 + i / quarter) * count + place]) == value)
      }
    }
    #expect(piece[channels * 4 * count] == 7, "nothing behind the end is touched")
  }

  /// Fewer columns than a vector has, whole vectors, and more; rows around the heights of blocks.
  @Test(arguments: [(1, 3, 5), (2, 20, 20), (3, 33, 7), (5, 16, 4), (6, 40, 20), (9, 64, 3)], [0, 1, 2, 3])
  func planarProducts(size: (Int, Int, Int), conjugated: Int) {
    let (rows, columns, inner) = size
    let (a, b) = (noise(2 * rows * inner, 0), noise(2 * inner * columns, 1))
    let layout = { (row: Int, imaginary: Int, bit: Int) in
      ck_planar(row: row, column: 1, imaginary: imaginary, conjugate: Int32(conjugated >> bit & 1))
    }
    var c = [Float](repeating: 7, count: 2 * rows * columns + 1)
    ck_planar_product(
      rows, columns, inner, layout(2 * inner, inner, 0), a, layout(columns, inner * columns, 1), b,
      ck_planar(row: 2 * columns, column: 1, imaginary: columns, conjugate: 0), &c)
    let signs = (0..<2).map { conjugated >> $0 & 1 == 1 ? -1.0 : 1.0 }
    for r in 0..<rows {
      for j in 0..<columns {
        var sum = (re: 0.0, im: 0.0)
        for k in 0..<inner {
          let x = (re: Double(a[2 * r * inner + k]), im: signs[0] * Double(a[(2 * r + 1) * inner + k]))
          let y = (re: Double(b[k * columns + j]), im: signs[1] * Double(b[(inner + k) * columns + j]))
          sum = (sum.re + x.re * y.re - x.im * y.im, sum.im + x.re * y.im + x.im * y.re)
        }
        #expect(abs(Double(c[2 * r * columns + j]) - sum.re) <= tolerance(2 * inner))
        #expect(abs(Double(c[(2 * r + 1) * columns + j]) - sum.im) <= tolerance(2 * inner))
      }
    }
    #expect(c[2 * rows * columns] == 7, "nothing behind the end is touched")
  }

  /// The activation, whether there is an addend, columns and terms: what is in the place of the result, or other rows.
  @Test(
    arguments: instructions,
    [
      (CK_IDENTITY, false, 101, 6), (CK_RELU, false, 101, 6), (CK_GELU, false, 101, 6),
      (CK_IDENTITY, true, 101, 6), (CK_GELU, true, 101, 6), (CK_IDENTITY, false, 88, 6),
      (CK_IDENTITY, true, 88, 6), (CK_GELU, false, 88, 6), (CK_IDENTITY, false, 50, 6),
      (CK_GELU, true, 144, 6), (CK_GELU, true, 55, 390),
    ])
  func finishes(instructions: ck_instructions, ending: (ck_activation, Bool, Int, Int)) {
    let (kind, adds, columns, inner) = ending
    let (rows, addendStride) = (11, columns + 3)
    let (a, b, bias) = (noise(rows * inner, 0), noise(inner * columns, 1), noise(rows, 2))
    let factor = noise(rows * columns, 3)
    let addend = noise(rows * addendStride, 4)
    let before = (0..<rows).flatMap { addend[$0 * addendStride..<$0 * addendStride + columns] }
    var (c, slope, scaled) = (before, factor, before)
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        bias.withUnsafeBufferPointer { bias in
          var factors = ck_factors(
            inner: inner, a: a.baseAddress, row: inner, column: 1, b: b.baseAddress, b_row: columns)
          c.withUnsafeMutableBufferPointer { c in
            slope.withUnsafeMutableBufferPointer { slope in
              var finish = ck_finish(
                kind: kind, addend: adds ? UnsafePointer(c.baseAddress) : nil, addend_row: columns,
                bias: bias.baseAddress, factor: nil, slope: kind == CK_GELU ? slope.baseAddress : nil)
              ck_product_using(instructions, rows, columns, &factors, &finish, c.baseAddress, columns)
            }
          }
          addend.withUnsafeBufferPointer { addend in
            factor.withUnsafeBufferPointer { factor in
              var finish = ck_finish(
                kind: kind, addend: adds ? addend.baseAddress : nil, addend_row: addendStride,
                bias: bias.baseAddress, factor: factor.baseAddress, slope: nil)
              ck_product_using(instructions, rows, columns, &factors, &finish, &scaled, columns)
            }
          }
        }
      }
    }
    for index in c.indices {
      let (row, column) = (index / columns, index % columns)
      let z = (0..<inner).reduce(Double(bias[row]) + (adds ? Double(before[index]) : 0)) {
        $0 + Double(a[row * inner + $1]) * Double(b[$1 * columns + column])
      }
      let distribution = 0.5 * erfc(-z / 2.0.squareRoot())
      let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
      let expected = kind == CK_IDENTITY ? z : kind == CK_RELU ? max(0, z) : z * distribution
      // The error of the sum, and for the activation 2e-7 of the distribution function times |z| up to 10.
      let tolerance = tolerance(inner) + 2e-6
      #expect(abs(Double(c[index]) - expected) <= tolerance)
      #expect(scaled[index] == c[index] * factor[index])
      if kind == CK_GELU {
        #expect(abs(Double(slope[index]) - (distribution + z * density)) <= tolerance)
      }
    }
  }

  /// The kernels have GELU in their own ways: all bits of single precision but those that rounding takes.
  @Test(arguments: instructions) func gelu(instructions: ck_instructions) {
    let ends: [Float] = [-.infinity, .infinity, .nan, -1e30, 1e30, 0, -0.0]
    let points = (-90_000...90_000).map { Float($0) * 1e-4 } + ends
    var (value, slope, only) = (points, points, points)
    let finish = { (slope: UnsafeMutablePointer<Float>?) in
      ck_finish(kind: CK_GELU, addend: nil, addend_row: 0, bias: nil, factor: nil, slope: slope)
    }
    let one: [Float] = [1]
    one.withUnsafeBufferPointer { one in
      points.withUnsafeBufferPointer { points in
        var factors = ck_factors(
          inner: 1, a: one.baseAddress, row: 1, column: 1, b: points.baseAddress, b_row: points.count)
        slope.withUnsafeMutableBufferPointer { slope in
          var finish = finish(slope.baseAddress)
          ck_product_using(instructions, 1, points.count, &factors, &finish, &value, points.count)
        }
        var finish = finish(nil)
        ck_product_using(instructions, 1, points.count, &factors, &finish, &only, points.count)
      }
    }
    var largest = (value: 0.0, slope: 0.0)
    for (index, x) in points.dropLast(ends.count).map(Double.init).enumerated() {
      let distribution = 0.5 * erfc(-x / 2.0.squareRoot())
      let density = exp(-x * x / 2) / (2 * Double.pi).squareRoot()
      largest.value = max(largest.value, abs(Double(value[index]) - x * distribution) / max(1, abs(x)))
      largest.slope = max(largest.slope, abs(Double(slope[index]) - (distribution + x * density)))
    }
    // What gelu.h promises.
    #expect(largest.value <= 3e-7 && largest.slope <= 3e-7, "\(largest)")
    let (values, slopes) = (value.suffix(ends.count), slope.suffix(ends.count))
    #expect(zip(value, only).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN })
    #expect(abs(values.first!) < 1e-6 && abs(values.dropFirst(3).first!) < 1e-6, "far on the negative side")
    #expect(values.dropFirst(1).first == .infinity && values.dropFirst(4).first == 1e30)
    #expect(values.dropFirst(2).first!.isNaN && slopes.dropFirst(2).first!.isNaN)
    #expect(values.suffix(2).allSatisfy { $0 == 0 } && slopes.suffix(2).allSatisfy { $0 == 0.5 })
    #expect(abs(slopes.first!) < 1e-6 && abs(slopes.dropFirst(1).first! - 1) < 1e-6)
  }

  /// A square factor may multiply rows where they are: rows and columns around the sizes of blocks and tiles.
  @Test(arguments: instructions, [(1, 48), (2, 96), (3, 5), (11, 101), (20, 4096), (384, 30)])
  func productsInPlace(instructions: ck_instructions, size: (Int, Int)) {
    let (rows, columns) = size
    let (a, b) = (noise(rows * rows, 0), noise(rows * columns, 1))
    var (apart, inPlace) = (b, b)
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        var factors = ck_factors(
          inner: rows, a: a.baseAddress, row: rows, column: 1, b: b.baseAddress, b_row: columns)
        ck_product_using(instructions, rows, columns, &factors, nil, &apart, columns)
        inPlace.withUnsafeMutableBufferPointer { b in
          factors.b = UnsafePointer(b.baseAddress)
          ck_product_using(instructions, rows, columns, &factors, nil, b.baseAddress, columns)
        }
      }
    }
    #expect(inPlace == apart)
  }

  @Test(
    arguments: instructions,
    [(1, 1, 1), (5, 7, 16), (4, 6, 33), (9, 13, 85), (2, 41, 300), (9, 41, 1100), (3, 20, 5000)])
  func innerProducts(instructions: ck_instructions, size: (Int, Int, Int)) {
    let (rows, columns, length) = size
    let (xStride, yStride, cStride) = (length + 3, length + 1, columns + 2)
    let (x, y) = (noise(rows * xStride, 0), noise(columns * yStride, 1))
    var c = [Float](repeating: 7, count: rows * cStride)
    ck_inner_products_using(instructions, rows, columns, length, x, xStride, y, yStride, 0, &c, cStride)
    let once = c
    ck_inner_products_using(instructions, rows, columns, length, x, xStride, y, yStride, 1, &c, cStride)
    for row in 0..<rows {
      for column in 0..<columns {
        let sum = (0..<length).reduce(0.0) {
          $0 + Double(x[row * xStride + $1]) * Double(y[column * yStride + $1])
        }
        let index = row * cStride + column
        #expect(abs(Double(once[index]) - sum) <= tolerance(length))
        #expect(abs(Double(c[index]) - 2 * sum) <= 2 * tolerance(length))
      }
      #expect(c[row * cStride + columns] == 7, "nothing behind a row is touched")
    }
  }

  private static let perceptronSizes = [
    (CK_GELU, 20, 128, 1, 101), (CK_RELU, 5, 11, 3, 48), (CK_IDENTITY, 1, 3, 4, 7), (CK_GELU, 64, 9, 2, 5),
  ]

  /// Heights of blocks and widths of tiles that leave a rest; the sums of the adjoint are added to what is there.
  @Test(arguments: instructions, perceptronSizes)
  func perceptrons(instructions: ck_instructions, size: (ck_activation, Int, Int, Int, Int)) {
    checkPerceptron(instructions, size, adds: false)
  }

  /// The same with something more in the hidden sums, in whose place the adjoint's result comes.
  @Test(arguments: instructions, perceptronSizes + [(CK_RELU, 7, 13, 1, 96)])
  func perceptronsWithAnAddend(instructions: ck_instructions, size: (ck_activation, Int, Int, Int, Int)) {
    checkPerceptron(instructions, size, adds: true)
  }

  private func checkPerceptron(
    _ instructions: ck_instructions, _ size: (ck_activation, Int, Int, Int, Int), adds: Bool
  ) {
    let (kind, inputs, hidden, outputs, columns) = size
    let stride = columns + 3
    // Weights that make the hidden sums of order one.
    let w1 = noise(hidden * inputs, 0).map { $0 / Float(inputs).squareRoot() }
    let (b1, w2, b2) = (noise(hidden, 1), noise(outputs * hidden, 2), noise(outputs, 3))
    let (u, dy) = (noise(inputs * stride, 4), noise(outputs * stride, 5))
    let addend = noise(hidden * columns, 6)
    var y = [Float](repeating: 7, count: outputs * stride)
    var dz = adds ? addend : [Float](repeating: 7, count: hidden * columns)
    var sums = [Float](repeating: 0, count: hidden * (1 + outputs) * 16)
    sums[0] = 3
    var rates = [Float](repeating: 7, count: outputs == 1 ? hidden * columns : 0)
    w1.withUnsafeBufferPointer { w1 in
      b1.withUnsafeBufferPointer { b1 in
        w2.withUnsafeBufferPointer { w2 in
          b2.withUnsafeBufferPointer { b2 in
            var perceptron = ck_perceptron(
              inputs: inputs, hidden: hidden, outputs: outputs, activation: kind,
              hidden_weight: w1.baseAddress, hidden_bias: b1.baseAddress, weight: w2.baseAddress,
              bias: b2.baseAddress)
            #expect(ck_perceptron_is_narrow(&perceptron) == 1)
            dz.withUnsafeMutableBufferPointer { dz in
              let start = dz.baseAddress
              ck_perceptron_using(
                instructions, &perceptron, columns, u, stride, adds ? start : nil, columns, &y, stride, nil)
              if outputs == 1 {
                var same = y
                ck_perceptron_using(
                  instructions, &perceptron, columns, u, stride, adds ? start : nil, columns, &same, stride,
                  &rates)
                #expect(same == y)
              }
              checkDifferences(
                instructions, perceptron, columns: columns, stride: stride, u, y,
                addend: adds ? addend : nil)
              ck_perceptron_adjoint_using(
                instructions, &perceptron, columns, u, stride, adds ? start : nil, columns, dy, stride, start,
                &sums)
            }
          }
        }
      }
    }
    var results = [Double](repeating: 0, count: outputs * columns)
    for row in 0..<hidden {
      var expected = [Double](repeating: 0, count: 1 + outputs)
      for column in 0..<columns {
        let z = (0..<inputs).reduce(Double(b1[row]) + (adds ? Double(addend[row * columns + column]) : 0)) {
          $0 + Double(w1[row * inputs + $1]) * Double(u[$1 * stride + column])
        }
        let distribution = 0.5 * erfc(-z / 2.0.squareRoot())
        let slope =
          kind == CK_IDENTITY
          ? 1
          : kind == CK_RELU
            ? (z > 0 ? 1 : 0) : distribution + z * exp(-z * z / 2) / (2 * Double.pi).squareRoot()
        let value = kind == CK_IDENTITY ? z : kind == CK_RELU ? max(0, z) : z * distribution
        var gradient = 0.0
        for output in 0..<outputs {
          let (weight, above) = (Double(w2[output * hidden + row]), Double(dy[output * stride + column]))
          results[output * columns + column] += weight * value
          gradient += weight * above
          expected[1 + output] += value * above
        }
        gradient *= slope
        expected[0] += gradient
        if outputs == 1 {
          let rate = Double(w2[row]) * slope
          #expect(abs(Double(rates[row * columns + column]) - rate) <= 10 * tolerance(1) + 5e-6)
        }
        // The error of z, and of the slope 2e-7 times the gradient above it, which is below 10.
        #expect(abs(Double(dz[row * columns + column]) - gradient) <= 10 * tolerance(1) + 5e-6)
      }
      for index in 0...outputs {
        let start = (row * (1 + outputs) + index) * 16
        let sum = sums[start..<start + 16].reduce(0) { $0 + Double($1) }
        let before = row == 0 && index == 0 ? 3.0 : 0
        // Every term has the errors above; they add up like a random walk.
        #expect(
          abs(sum - before - expected[index]) <= 10 * tolerance(1) * Double(columns).squareRoot() + 2e-5)
      }
    }
    for output in 0..<outputs {
      for column in 0..<columns {
        let expected = Double(b2[output]) + results[output * columns + column]
        #expect(abs(Double(y[output * stride + column]) - expected) <= tolerance(hidden) + 2e-6)
      }
      #expect(output == outputs - 1 || y[output * stride + columns] == 7, "nothing behind a row is touched")
    }
  }
  /// Both ways at once for the differences from a target, against the adjoint of the same differences.
  private func checkDifferences(
    _ instructions: ck_instructions, _ perceptron: ck_perceptron, columns: Int, stride: Int, _ u: [Float],
    _ y: [Float], addend: [Float]?
  ) {
    let (hidden, outputs) = (perceptron.hidden, perceptron.outputs)
    let (values, scale, shift) = (
      noise(outputs * stride, 7), noise(outputs * stride, 8), noise(outputs * stride, 9)
    )
    for scales in [false, true] {
      var expected = [Float](repeating: 7, count: outputs * columns)
      var dy = [Float](repeating: 0, count: outputs * columns)
      for output in 0..<outputs {
        for column in 0..<columns {
          let (index, at) = (output * columns + column, output * stride + column)
          expected[index] = (scales ? y[at] * scale[at] + shift[at] : y[at]) - values[at]
          dy[index] = scales ? scale[at] * expected[index] : expected[index]
        }
      }
      var difference = [Float](repeating: 7, count: outputs * columns)
      var dz = addend ?? [Float](repeating: 7, count: hidden * columns)
      var expectedGradient = dz
      var sums = [Float](repeating: 1, count: hidden * (1 + outputs) * 16)
      var expectedSums = sums
      var room = [Float](repeating: 0, count: hidden * Int(CK_WIDEST_TILE))
      var perceptron = perceptron
      values.withUnsafeBufferPointer { values in
        scale.withUnsafeBufferPointer { scale in
          shift.withUnsafeBufferPointer { shift in
            var target = ck_target(
              values: values.baseAddress, scale: scales ? scale.baseAddress : nil,
              shift: scales ? shift.baseAddress : nil, row: stride)
            dz.withUnsafeMutableBufferPointer { dz in
              ck_perceptron_difference_using(
                instructions, &perceptron, columns, u, stride,
                addend == nil ? nil : UnsafePointer(dz.baseAddress),
                columns, &target, &difference, columns, dz.baseAddress, &room, &sums)
            }
          }
        }
      }
      ck_perceptron_adjoint_using(
        instructions, &perceptron, columns, u, stride, addend, columns, dy, columns, &expectedGradient,
        &expectedSums)
      // Fused or not, a rounding of numbers below ten.
      for (left, right) in zip(difference, expected) { #expect(abs(left - right) <= 2e-6) }
      for (left, right) in zip(dz, expectedGradient) { #expect(abs(left - right) <= 1e-5) }
      for (left, right) in zip(sums, expectedSums) { #expect(abs(left - right) <= 1e-4) }
    }
  }
}
