import Foundation
import Glibc

/// The configurations that come with the program, found by name: `darcy`, `quickstart/burgers`, `fno2020/ns-1e-3`.
///
/// They lie in the folder that `PHALAROPE_CONFIGS` names in the environment, in `share/phalarope/configs` beside the
/// folder of an installed program, or in `configs` of the checkout that the program was built in.
public enum ShippedConfigs {
  /// The file of a configuration: the path itself if there is such a file, else the shipped one of that name.
  ///
  /// - Throws: `InputError` that names the nearest shipped configuration if there is neither.
  public static func path(of name: String) throws -> String {
    if FileSystem.exists(name) { return name }
    guard !name.hasPrefix("/") else { throw InputError(path: name, reason: systemMessage(ENOENT)) }
    guard let folder else {
      throw InputError(path: name, reason: "\(systemMessage(ENOENT)), and \(whyNone)")
    }
    let wanted = name.hasSuffix(".yaml") ? String(name.dropLast(5)) : name
    if names.contains(wanted) { return "\(folder)/\(wanted).yaml" }
    let near = names.filter { Spelling.areNear($0, wanted) }
      .min { Spelling.distance($0, wanted) < Spelling.distance($1, wanted) }
    throw InputError(
      path: name,
      reason: systemMessage(ENOENT)
        + (near.map { " (did you mean the shipped configuration '\($0)'?)" }
          ?? "; shipped configurations are \(names.joined(separator: ", "))"))
  }

  /// The file of a shipped configuration, whatever else lies in the current folder.
  ///
  /// - Throws: `InputError` if there is none: the program was moved without its configurations.
  static func shippedPath(of name: String) throws -> String {
    guard let folder else { throw InputError(path: "\(name).yaml", reason: whyNone) }
    guard names.contains(name) else {
      throw InputError(path: "\(folder)/\(name).yaml", reason: "this shipped configuration is missing")
    }
    return "\(folder)/\(name).yaml"
  }

  /// The names of all of them, sorted; empty if their folder is not found.
  public static let names: [String] = {
    guard let entries = folder.flatMap({ FileManager.default.enumerator(atPath: $0) }) else { return [] }
    return entries.compactMap { entry in
      guard let name = entry as? String, name.hasSuffix(".yaml") else { return nil }
      return String(name.dropLast(5))
    }.sorted()
  }()

  /// The variable of the environment that names their folder.
  private static let variable = "PHALAROPE_CONFIGS"

  /// The folder that belongs to an installed program.
  private static func installed(_ program: String) -> String {
    "\(FileSystem.folder(of: FileSystem.folder(of: program)))/share/phalarope/configs"
  }

  /// Where they were looked for in vain, and what to do.
  private static var whyNone: String {
    if let named = ProcessInfo.processInfo.environment[variable] {
      return "\(named), which \(variable) names, is no folder of configurations"
    }
    guard let program = FileSystem.executable else {
      return "the program's configurations are not found: name their folder in the variable \(variable)"
    }
    return "the program's configurations are neither in \(installed(program)) nor in a checkout around "
      + "\(program): name their folder in the variable \(variable), or install the program with them (make install)"
  }

  /// The folder of the running program's configurations.
  private static let folder: String? = {
    if let named = ProcessInfo.processInfo.environment[variable] {
      return FileSystem.isFolder(named) ? named : nil
    }
    guard let program = FileSystem.executable else { return nil }
    if FileSystem.isFolder(installed(program)) { return installed(program) }
    var checkout = FileSystem.folder(of: program)
    while checkout != "/" && checkout != "." {
      if FileSystem.exists("\(checkout)/Package.swift") {
        let configs = "\(checkout)/configs"
        return FileSystem.isFolder(configs) ? configs : nil
      }
      checkout = FileSystem.folder(of: checkout)
    }
    return nil
  }()
}
