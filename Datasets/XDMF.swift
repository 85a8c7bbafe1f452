import Files
import Foundation

/// The XDMF file beside a dataset, by which ParaView and VisIt open its fields.
///
/// Names the arrays of the HDF5 file, copies nothing. Lengths are given slowest axis first, as HDF5 has them;
/// viewers draw the fastest axis to the right, so a field [x, y] appears with y to the right, and a
/// one-dimensional field as a space-time image with x to the right and time upwards.
public enum XDMF {
  /// How many samples are listed: the file would be longer than the data otherwise.
  static let sampleLimit = 32

  /// The path of the XDMF file of a dataset.
  public static func path(besides path: String) -> String {
    let url = URL(fileURLWithPath: path)
    let name = url.deletingPathExtension().lastPathComponent + ".xmf"
    let slash = path.lastIndex(of: "/")
    return (slash.map { String(path[...$0]) } ?? "") + name
  }

  /// Writes the XDMF file of a dataset.
  ///
  /// - Parameter temporary: As for `AtomicFile.write`.
  static func write(
    besides path: String, _ description: DatasetDescription, sampleCount: Int, precisions: [StoredPrecision],
    temporary: String? = nil
  ) throws {
    let file = URL(fileURLWithPath: path).lastPathComponent
    let text = text(file: file, description, sampleCount: sampleCount, precisions: precisions)
    try AtomicFile.write(Array(text.utf8), to: Self.path(besides: path), temporary: temporary)
  }

  /// The content of the XDMF file.
  static func text(
    file: String, _ description: DatasetDescription, sampleCount: Int, precisions: [StoredPrecision]
  ) -> String {
    var lines = [
      "<?xml version=\"1.0\"?>", "<!DOCTYPE Xdmf SYSTEM \"Xdmf.dtd\" []>", "<Xdmf Version=\"3.0\">",
      "  <Domain>",
    ]
    let count = min(sampleCount, sampleLimit)
    let times = description.times ?? (0..<description.frameCount).map(Double.init)
    if description.frameCount == 0 || description.axes.count == 1 {
      // One collection whose steps are the samples.
      lines.append("    <Grid Name=\"samples\" GridType=\"Collection\" CollectionType=\"Temporal\">")
      for sample in 0..<count {
        lines += grid(
          file, description, sampleCount, sample: sample, frame: nil, time: Double(sample), precisions)
      }
      lines.append("    </Grid>")
    } else {
      for sample in 0..<count {
        lines.append(
          "    <Grid Name=\"sample \(sample)\" GridType=\"Collection\" CollectionType=\"Temporal\">")
        for (frame, time) in times.enumerated() {
          lines += grid(file, description, sampleCount, sample: sample, frame: frame, time: time, precisions)
        }
        lines.append("    </Grid>")
      }
    }
    lines += ["  </Domain>", "</Xdmf>", ""]
    return lines.joined(separator: "\n")
  }

  /// One image: a frame of a sample, or all frames of a sample in one dimension.
  private static func grid(
    _ file: String, _ description: DatasetDescription, _ sampleCount: Int, sample: Int, frame: Int?,
    time: Double, _ precisions: [StoredPrecision]
  ) -> [String] {
    // Where positions or times are not known, their numbers stand for them.
    var axes = description.axes.map { $0.coordinates ?? (0..<$0.count).map(Double.init) }
    let isSpaceTime = description.axes.count == 1 && description.frameCount > 0
    if isSpaceTime {
      axes.insert(description.times ?? (0..<description.frameCount).map(Double.init), at: 0)
    }
    // Always three axes: of two, ParaView's reader makes an image that stands edge-on to the viewer.
    while axes.count < 3 { axes.insert([0], at: 0) }
    let lengths = axes.map { String($0.count) }.joined(separator: " ")
    var lines = [
      "      <Grid Name=\"sample \(sample)\(frame.map { " frame \($0)" } ?? "")\" GridType=\"Uniform\">",
      "        <Time Value=\"\(time)\"/>",
    ]
    lines += geometry(axes, lengths: lengths).map { "        " + $0 }
    for (field, precision) in zip(description.fields, precisions) where !isSpaceTime || field.isTimeVarying {
      let number = "NumberType=\"Float\" Precision=\"\(precision.byteCount)\""
      let shape = [sampleCount] + description.shape(of: field)
      // A field that does not vary in time is shown in every frame.
      var start = shape.map { _ in 0 }
      var count = shape
      start[0] = sample
      count[0] = 1
      if let frame, field.isTimeVarying {
        start[1] = frame
        count[1] = 1
      }
      let rows = [start, shape.map { _ in 1 }, count].map { $0.map(String.init).joined(separator: " ") }
      lines += [
        "        <Attribute Name=\"\(escaped(field.name))\" AttributeType=\"Scalar\" Center=\"Node\">",
        "          <DataItem ItemType=\"HyperSlab\" Dimensions=\"\(lengths)\" \(number)>",
        "            <DataItem Dimensions=\"3 \(shape.count)\" NumberType=\"Int\" Format=\"XML\">"
          + rows.joined(separator: "  ") + "</DataItem>",
        "            <DataItem Dimensions=\"\(shape.map(String.init).joined(separator: " "))\""
          + " \(number) Format=\"HDF\">\(escaped(file)):/t0_fields/\(escaped(field.name))</DataItem>",
        "          </DataItem>", "        </Attribute>",
      ]
    }
    return lines + ["      </Grid>"]
  }

  /// Where the points are: by origin and spacing, or one by one where the distances differ.
  private static func geometry(_ axes: [[Double]], lengths: String) -> [String] {
    func item(_ numbers: [Double]) -> String {
      "  <DataItem Dimensions=\"\(numbers.count)\" NumberType=\"Float\" Precision=\"8\" Format=\"XML\">"
        + numbers.map { String($0) }.joined(separator: " ") + "</DataItem>"
    }
    let spacings = axes.map { $0.count > 1 ? $0[1] - $0[0] : 1 }
    let isUniform = zip(axes, spacings).allSatisfy { points, spacing in
      // Rounding of the coordinates, not a step of another length.
      zip(points, points.dropFirst()).allSatisfy { abs($1 - $0 - spacing) <= 1e-6 * abs(spacing) }
    }
    let (mesh, kind) = isUniform ? ("3DCoRectMesh", "ORIGIN_DXDYDZ") : ("3DRectMesh", "VXVYVZ")
    // Origin and spacing slowest axis first as the lengths; lists of points fastest axis first.
    let items = isUniform ? [axes.map { $0[0] }, spacings] : axes.reversed()
    return ["<Topology TopologyType=\"\(mesh)\" Dimensions=\"\(lengths)\"/>"]
      + ["<Geometry GeometryType=\"\(kind)\">"] + items.map(item) + ["</Geometry>"]
  }

  private static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: "\"", with: "&quot;")
  }
}
