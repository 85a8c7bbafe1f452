import CKernels
import Foundation
import Tensors

/// A convolution by Fourier transforms: F⁻¹ (F w · F u), for kernels of many taps.
///
/// The transforms' size is along every axis that of the grid if the padding is circular and the size has no
/// prime factors but 2, 3 and 5, otherwise one of that kind that holds the grid and its padding and is good for FFTW
/// (`transformSize`). Fields are
/// transformed by FFTW; of the kernels only few numbers are not zero, so theirs are matrix products
/// (`FilterSpectrum`). Half spectra only, `[position, sample, re/im, channel]`, so that every position is a small
/// complex matrix product.
struct FourierConvolution: Sendable {
  let geometry: ConvolutionGeometry
  let input: FieldShape
  let outputs: Int
  let outputGrid: Shape
  /// How far the field is continued periodically before it is transformed.
  private let margins: Shape
  /// Where, relative to its position, an output's first tap lies.
  private let shifts: Shape
  /// The most partial sums of a gradient; fixed, so that the sums do not depend on the number of threads.
  private static let chunkCount = 16

  /// The points of the transformed fields.
  private let size: Shape
  /// For every row of the field with its margins, along the last axis, where it comes from and where it goes.
  private var rows: [(field: Int, grid: Int)] = []
  /// For every row of the output where it lies on the grid of the transform.
  private var outputRows: [(field: Int, grid: Int)] = []
  /// What makes spectra of kernels.
  private var factors: FilterFactors

  init(_ geometry: ConvolutionGeometry, input: FieldShape, outputs: Int) {
    self.geometry = geometry
    self.input = input
    self.outputs = outputs
    outputGrid = geometry.outputGrid(input.grid)
    var (margins, shifts, size) = (Shape(), Shape(), Shape())
    for axis in input.grid.indices {
      let (points, padding, span) = (input.grid[axis], geometry.padding[axis], geometry.span[axis])
      let isCircular = geometry.paddingMode == .circular && padding > 0
      let wraps = isCircular && 2 * padding < span && Self.isSmooth(points)
      let margin = isCircular && !wraps ? padding : 0
      margins.append(margin)
      shifts.append(padding - margin)
      size.append(
        wraps
          ? points
          : Self.transformSize(
            holding: max(points + 2 * margin + padding - margin, points + 2 * padding - span + 1)))
    }
    (self.margins, self.shifts, self.size) = (margins, shifts, size)
    factors = FilterFactors()
    rows = makeRows()
    outputRows = makeOutputRows()
    factors = FilterFactors(filterShape, columns: columns)
  }

  /// Whether a number has no prime factors but 2, 3 and 5.
  private static func isSmooth(_ count: Int) -> Bool {
    var rest = count
    for factor in [2, 3, 5] { while rest.isMultiple(of: factor) { rest /= factor } }
    return rest == 1
  }

  /// The number from `count` on with which a convolution takes least time.
  ///
  /// Its cost by the points of the transforms, half of it the transforms themselves: these take 1.6 times as long
  /// where the number is odd, 1.2 times where FFTW's estimated plan is not one of the good ones, by measurement (for
  /// both axes of a plane: 135 x 135 points 289 µs there and back, 144 x 144 110, 160 x 160 96).
  static func transformSize(holding count: Int) -> Int {
    func cost(_ size: Int) -> Double {
      let odd = size >> size.trailingZeroBitCount
      let isGood = size.isMultiple(of: 4) && [1, 5, 9, 15, 25].contains(odd)
      return Double(size) * (1 + (size == odd ? 1.6 : isGood ? 1 : 1.2))
    }
    // A power of two lies in this range.
    return (count...max(1, 2 * count)).lazy.filter(isSmooth).min { cost($0) < cost($1) } ?? count
  }

  // MARK: - Costs

  private var axes: Int { size.count }
  private var points: Int { size.reduce(1, *) }
  private var lastPositions: Int { size[axes - 1] / 2 + 1 }
  private var positions: Int { size.dropLast().reduce(1, *) * lastPositions }
  private var groupInputs: Int { input.channels / geometry.groups }
  private var groupOutputs: Int { outputs / geometry.groups }

  /// Whether this way is faster than the direct one, for a batch of several samples.
  ///
  /// By the number of operations, where one of a Fourier transform takes as long as some of a large matrix product: 5
  /// as measured with AVX2, and perhaps twice that with AVX-512, which FFTW does not use, so 8 for both; and one of a
  /// small complex product as long as two. It does not depend on the number of samples, so a sample's result does not
  /// depend on its batch.
  var isFaster: Bool {
    let filters = Double(groupInputs * outputs)
    let direct = 2 * Double(outputGrid.reduce(1, *) * geometry.kernel.reduce(1, *)) * filters
    let transforms = 2.5 * Double(points) * log2(Double(points)) * Double(input.channels + outputs)
    return 8 * transforms + 16 * Double(positions) * filters < direct
  }

  // MARK: - Fields and grids

  private func makeRows() -> [(field: Int, grid: Int)] {
    let lead = axes - 1
    let outer = (0..<lead).map { input.grid[$0] + 2 * margins[$0] }
    return (0..<outer.reduce(1, *)).map { row in
      var (rest, field, grid, fieldStep, gridStep) = (row, 0, 0, input.grid[lead], size[lead])
      for axis in (0..<lead).reversed() {
        let (position, points) = (rest % outer[axis], input.grid[axis])
        rest /= outer[axis]
        field += (position - margins[axis] + points) % points * fieldStep
        grid += position * gridStep
        (fieldStep, gridStep) = (fieldStep * points, gridStep * size[axis])
      }
      return (field, grid)
    }
  }

  private func makeOutputRows() -> [(field: Int, grid: Int)] {
    let lead = axes - 1
    return (0..<outputGrid[..<lead].reduce(1, *)).map { row in
      var (rest, grid, step) = (row, 0, size[lead])
      for axis in (0..<lead).reversed() {
        grid += rest % outputGrid[axis] * geometry.stride[axis] * step
        rest /= outputGrid[axis]
        step *= size[axis]
      }
      return (row * outputGrid[lead], grid)
    }
  }

  /// A field with its margins among zeros; what is zero once stays so.
  private func embed(_ field: UnsafePointer<Float>, _ grid: UnsafeMutablePointer<Float>) {
    let (count, margin) = (input.grid[axes - 1], margins[axes - 1])
    for row in rows {
      let (source, target) = (field + row.field, grid + row.grid)
      target.update(from: source + count - margin, count: margin)
      (target + margin).update(from: source, count: count)
      (target + margin + count).update(from: source, count: margin)
    }
  }

  /// The adjoint of `embed`.
  private func collect(_ grid: UnsafePointer<Float>, _ field: UnsafeMutablePointer<Float>) {
    let (count, margin) = (input.grid[axes - 1], margins[axes - 1])
    field.update(repeating: 0, count: input.points)
    for row in rows {
      let (source, target) = (grid + row.grid, field + row.field)
      Float.axpy(count, 1, source + margin, target)
      if margin > 0 {
        Float.axpy(margin, 1, source, target + count - margin)
        Float.axpy(margin, 1, source + margin + count, target)
      }
    }
  }

  // MARK: - Transforms

  /// The positions of a spectrum in memory: an even number, as FFTW's aligned arrays want it.
  private var pitch: Int { (positions + 1) / 2 * 2 }

  private func spectrumShape(channels: Int) -> Shape { [pitch, input.samples, 2, channels] }

  /// The spectra of a batch, each of whose fields is put on a grid of zeros first.
  private func analyse(
    _ fields: Tensor<Float>, channels: Int,
    _ place: (_ field: UnsafePointer<Float>, _ grid: UnsafeMutablePointer<Float>) -> Void
  ) -> Tensor<Float> {
    let transform = FourierTransform<Float>(.realToComplex, shape: size)
    let (count, samples) = (fields.count / (input.samples * channels), input.samples)
    return fields.start { fields in
      .filled(spectrumShape(channels: channels)) { spectrum in
        forEachSample(channels: channels) { sample, grid, modes in
          grid.update(repeating: 0, count: points)
          for channel in 0..<channels {
            place(fields + (sample * channels + channel) * count, grid)
            transform(grid, modes + channel * 2 * pitch)
          }
          ck_scatter_modes(
            pitch, channels, modes, samples * 2 * channels, spectrum + sample * 2 * channels)
        }
      }
    }
  }

  /// The fields of spectra, each of which is taken from its grid last.
  private func synthesise(
    _ spectrum: Tensor<Float>, channels: Int, shape: Shape,
    _ take: (_ grid: UnsafePointer<Float>, _ field: UnsafeMutablePointer<Float>, _ channel: Int) -> Void
  ) -> Tensor<Float> {
    let transform = FourierTransform<Float>(.complexToReal, shape: size)
    let (count, samples) = (shape.dropFirst(2).reduce(1, *), input.samples)
    return spectrum.start { spectrum in
      .filled(shape) { fields in
        forEachSample(channels: channels) { sample, grid, modes in
          ck_gather_modes(
            pitch, channels, spectrum + sample * 2 * channels, samples * 2 * channels, channels, modes)
          for channel in 0..<channels {
            transform(modes + channel * 2 * pitch, grid)
            take(grid, fields + (sample * channels + channel) * count, channel)
          }
        }
      }
    }
  }

  private func forEachSample(
    channels: Int,
    _ body: (_ sample: Int, _ grid: UnsafeMutablePointer<Float>, _ modes: UnsafeMutablePointer<Float>) -> Void
  ) {
    // The modes begin at a multiple of 64 bytes.
    let gridCount = (points + 15) / 16 * 16
    parallelFor(input.samples) { range in
      withScratch(gridCount + channels * 2 * pitch) { grid in
        (grid + gridCount).update(repeating: 0, count: channels * 2 * pitch)
        for sample in range { body(sample, grid, grid + gridCount) }
      }
    }
  }

  // MARK: - Filters

  private var filterShape: FilterShape {
    FilterShape(
      outputs: outputs, groupInputs: groupInputs, taps: Shape(geometry.kernel),
      size: size.dropLast() + [lastPositions], hasComplexFilter: false)
  }

  /// exp(2πi f p / n) for every frequency f and the position p of every tap, divided by n: with it the product
  /// of spectra is that of a correlation, and FFTW's inverse, which is not normalised, the inverse.
  private func columns(_ axis: Int) -> Tensor<Float> {
    let (count, taps) = (size[axis], geometry.kernel[axis])
    var columns = Tensor<Float>(shape: [filterShape.size[axis], 2, taps])
    columns.withUnsafeMutableBuffer { columns in
      for frequency in 0..<filterShape.size[axis] {
        for tap in 0..<taps {
          let position = tap * geometry.dilation[axis] - shifts[axis]
          // Reduced first, so that sine and cosine are exact to the last bit.
          let turns = Double(((frequency * position) % count + count) % count) / Double(count)
          columns[2 * frequency * taps + tap] = Float(cos(2 * Double.pi * turns) / Double(count))
          columns[(2 * frequency + 1) * taps + tap] = Float(sin(2 * Double.pi * turns) / Double(count))
        }
      }
    }
    return columns
  }

  private func filter(_ weight: Tensor<Float>) -> FilterSpectrum {
    FilterSpectrum(filterShape, weight: weight, factors: factors)
  }

  /// The number of tuples of positions of all axes but the first.
  private var slabs: Int { filterShape.slabs(behind: 0) }

  // MARK: - The channels

  private func planar(row: Int, column: Int = 1, imaginary: Int, conjugate: Bool = false) -> ck_planar {
    ck_planar(row: row, column: column, imaginary: imaginary, conjugate: conjugate ? 1 : 0)
  }

  /// z = Σ_i c_oi x_i for the batch at one position.
  private func multiply(
    _ c: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ z: UnsafeMutablePointer<Float>
  ) {
    for group in 0..<geometry.groups {
      ck_planar_product(
        input.samples, groupOutputs, groupInputs,
        planar(row: 2 * input.channels, imaginary: input.channels), x + group * groupInputs,
        planar(row: outputs, imaginary: groupInputs * outputs), c + group * groupOutputs,
        planar(row: 2 * outputs, imaginary: outputs), z + group * groupOutputs)
    }
  }

  /// dx = Σ_o conj(c_oi) dz_o.
  private func multiplyAdjoint(
    _ c: UnsafePointer<Float>, _ dz: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    transposed: UnsafeMutablePointer<Float>
  ) {
    let filters = groupInputs * outputs
    for part in 0..<2 { ck_transpose(groupInputs, outputs, c + part * filters, transposed + part * filters) }
    for group in 0..<geometry.groups {
      ck_planar_product(
        input.samples, groupInputs, groupOutputs, planar(row: 2 * outputs, imaginary: outputs),
        dz + group * groupOutputs, planar(row: groupInputs, imaginary: filters, conjugate: true),
        transposed + group * groupOutputs * groupInputs,
        planar(row: 2 * input.channels, imaginary: input.channels), dx + group * groupInputs)
    }
  }

  /// dc_oi = Σ conj(x_i) dz_o over the batch.
  private func filterGradient(
    _ x: UnsafePointer<Float>, _ dz: UnsafePointer<Float>, _ dc: UnsafeMutablePointer<Float>
  ) {
    for group in 0..<geometry.groups {
      ck_planar_product(
        groupInputs, groupOutputs, input.samples,
        planar(row: 1, column: 2 * input.channels, imaginary: input.channels, conjugate: true),
        x + group * groupInputs, planar(row: 2 * outputs, imaginary: outputs), dz + group * groupOutputs,
        planar(row: outputs, imaginary: groupInputs * outputs), dc + group * groupOutputs)
    }
  }

  // MARK: - Both directions

  func forward(
    _ u: Tensor<Float>, _ weight: Tensor<Float>, bias: Tensor<Float>?
  ) -> (value: Tensor<Float>, spectrum: Tensor<Float>) {
    let spectrum = analyse(u, channels: input.channels) { embed($0, $1) }
    let filter = filter(weight)
    let (filters, slabs) = (filter.shape.filters, slabs)
    let mixed = spectrum.start { x in
      Tensor<Float>.filled(spectrumShape(channels: outputs)) { z in
        parallelFor(filter.tiles) { range in
          withScratch(filter.tileCount) { tile in
            for index in range {
              let (slab, firsts) = filter.place(ofTile: index)
              filter.tile(slab: slab, positions: firsts, into: tile)
              for first in firsts {
                let position = (first * slabs + slab) * 2 * input.samples
                multiply(
                  tile + (first - firsts.lowerBound) * 2 * filters, x + position * input.channels,
                  z + position * outputs)
              }
            }
          }
        }
      }
    }
    let (columns, step) = (outputGrid[axes - 1], geometry.stride[axes - 1])
    let shape = Shape(input.samples, outputs) + outputGrid
    let value = synthesise(mixed, channels: outputs, shape: shape) { grid, field, channel in
      for row in outputRows {
        let (source, target) = (grid + row.grid, field + row.field)
        if step == 1 {
          target.update(from: source, count: columns)
        } else {
          for column in 0..<columns { target[column] = source[column * step] }
        }
      }
      if let bias {
        bias.start { ck_add_constant_f32(columns * outputRows.count, $0[channel], field) }
      }
    }
    return (value, spectrum)
  }

  /// The gradients of the input, if wanted, and of the weight.
  ///
  /// The spectrum is used up: its gradient takes its place.
  func adjoint(
    _ gradient: Tensor<Float>, _ weight: Tensor<Float>, spectrum: consuming Tensor<Float>, ofInput: Bool
  ) -> (u: Tensor<Float>?, weight: Tensor<Float>) {
    var spectrum = spectrum
    let (columns, step) = (outputGrid[axes - 1], geometry.stride[axes - 1])
    let given = analyse(gradient, channels: outputs) { field, grid in
      for row in outputRows {
        let (source, target) = (field + row.field, grid + row.grid)
        if step == 1 {
          target.update(from: source, count: columns)
        } else {
          for column in 0..<columns { target[column * step] = source[column] }
        }
      }
    }
    let filter = filter(weight)
    let (filters, slabs) = (filter.shape.filters, slabs)
    // Chunks are runs of whole slabs, whose gradients nobody else adds to, or else of the tiles of the only one.
    let chunks = min(slabs == 1 ? filter.tiles : slabs, Self.chunkCount)
    let tilesPerUnit = slabs == 1 ? 1 : filter.tilesPerSlab
    let units = filter.tiles / tilesPerUnit
    let arrayCount = slabs == 1 ? filter.arrayShape.reduce(1, *) : 0
    var arrayTerms = Tensor<Float>(shape: [slabs == 1 ? chunks : 1] + filter.arrayShape)
    spectrum.withUnsafeMutableBuffer { x in
      let x = x.baseAddress!
      given.start { dz in
        arrayTerms.withUnsafeMutableBuffer { arrayTerms in
          let arrayTerms = arrayTerms.baseAddress!
          parallelFor(chunks) { range in
            withScratch(2 * filter.tileCount + 2 * filters) { tile in
              let (dTile, transposed) = (tile + filter.tileCount, tile + 2 * filter.tileCount)
              for chunk in range {
                let work = units * chunk / chunks..<units * (chunk + 1) / chunks
                for index in work.lowerBound * tilesPerUnit..<work.upperBound * tilesPerUnit {
                  let (slab, firsts) = filter.place(ofTile: index)
                  if ofInput { filter.tile(slab: slab, positions: firsts, into: tile) }
                  for first in firsts {
                    let position = (first * slabs + slab) * 2 * input.samples
                    let offset = (first - firsts.lowerBound) * 2 * filters
                    filterGradient(x + position * input.channels, dz + position * outputs, dTile + offset)
                    if ofInput {
                      multiplyAdjoint(
                        tile + offset, dz + position * outputs, x + position * input.channels,
                        transposed: transposed)
                    }
                    // Every frequency of the last axis but two stands for itself and its negative.
                    let last = axes == 1 ? first : slab % lastPositions
                    if last != 0 && 2 * last != size[axes - 1] {
                      Float.scale(2 * filters, 2, dTile + offset)
                    }
                  }
                  filter.adjointTile(
                    slab: slab, positions: firsts, gradient: dTile, matrixGradient: nil,
                    arrayGradient: arrayTerms + chunk * arrayCount)
                }
              }
            }
          }
        }
      }
    }
    let arrayGradient = sumOverFirstAxis(arrayTerms, shape: filter.arrayShape)
    let ofWeight = filter.gradients(matrix: nil, array: arrayGradient).weight
    guard ofInput else { return (nil, ofWeight) }
    let ofU = synthesise(spectrum, channels: input.channels, shape: input.shape(channels: input.channels)) {
      grid, field, _ in collect(grid, field)
    }
    return (ofU, ofWeight)
  }
}
