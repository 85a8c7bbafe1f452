import Experiments
import Foundation
import Testing

@Suite struct ShippedConfigTests {
  /// The folder `configs` beside `Tests`.
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("configs").path

  static let files: [String] = {
    let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return names.filter { $0.hasSuffix(".yaml") }.sorted()
  }()

  /// The verb that a configuration is for, and its resolved form.
  private func read(_ section: ConfigSection) throws -> String {
    if section.contains("surrogate") { return try InvertConfig(section).resolvedYAML }
    if section.contains("equation") { return try GenerateConfig(section).resolvedYAML }
    return try TrainConfig(section).resolvedYAML
  }

  private func keys(_ section: ConfigSection) -> [String] { section.resolvedValues.keys.sorted() }

  @Test func thereAreAll() {
    let equations = ["burgers", "darcy", "navier-stokes"]
    let names =
      equations.map { "\($0).yaml" } + equations.map { "\($0)-fno.yaml" } + ["inverse-navier-stokes.yaml"]
    let others = [
      "korteweg-de-vries", "kuramoto-sivashinsky", "allen-cahn", "advection", "heat", "darcy-log-normal",
      "navier-stokes-roll-out",
    ]
    #expect(Set(Self.files).isSuperset(of: others.map { "\($0).yaml" }))
    let presets = ["ns-1e-3", "ns-1e-4", "ns-1e-5"].map { "fno2020/\($0).yaml" }
    #expect(Set(Self.files).isSuperset(of: presets))
    #expect(Set(Self.files).isSuperset(of: names + names.map { "quickstart/\($0)" }))
  }

  @Test(arguments: files) func decodesAndStatesEveryValue(name: String) throws {
    let path = "\(Self.folder)/\(name)"
    let text = try TextFile.read(path)
    #expect(text.hasPrefix("# "), "it opens with a comment")
    #expect(text.contains("# Numbers: ") && text.contains("# Cost: "))
    let section = try ConfigSection(contentsOf: path)
    let resolved = try read(section)
    for key in section.resolvedValues.keys {
      // A value that is not written has the origin "file without a line".
      let given = section.origin(ofPath: key)
      #expect(given != nil, "\(name) leaves \(key) to its default")
    }
    let again = try ConfigSection(parsing: resolved, path: "resolved")
    #expect(try read(again) == resolved)
    #expect(keys(again) == keys(section))
  }
}
