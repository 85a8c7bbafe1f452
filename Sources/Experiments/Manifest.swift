import Foundation
import Glibc
import HDF5
import Tensors

/// What produced a run: all that is needed to repeat it, and when it ran.
public struct Manifest: Codable, Sendable, Equatable {
  /// How far a run has come.
  public enum Status: String, Codable, Sendable {
    /// It is running, or was killed.
    case running
    /// It stopped at the user's request and can be continued.
    case interrupted
    /// It ended with an error.
    case failed
    /// It is done.
    case finished
  }

  /// The program.
  public struct Software: Codable, Sendable, Equatable {
    /// Its name.
    public var name = Version.name
    /// Its version.
    public var version = Version.number
    /// The git revision of the checkout that the program was built in, if it still lies there.
    public var revision: String? = GitRevision.ofExecutable
    /// The compiler.
    public var compiler = Version.compiler
  }

  /// The machine.
  public struct Machine: Codable, Sendable, Equatable {
    /// The processor's name.
    public var processor = SystemFacts.processor
    /// The processors that the process may use.
    public var processors = Parallelism.processorCount
    /// The threads in use.
    public var threads = Parallelism.threadCount
    /// The operating system and its kernel.
    public var system = SystemFacts.operatingSystem
    /// The memory in bytes.
    public var memory = SystemFacts.memory
  }

  /// The weights of another run that a training began with.
  public struct InitialWeights: Codable, Sendable, Equatable {
    /// The other run's folder.
    public var run: String
    /// Its checkpoint.
    public var checkpoint: String
    /// The CRC-32 of the checkpoint's weights.
    public var checksum: String
    /// The layers whose K-matrices were begun anew, since they belong to another grid.
    public var renewedLayers: [String]
    /// The other run's resolved configuration.
    public var config: String
  }

  /// How the run stands.
  public var status: Status = .running
  /// The command line.
  public var commandLine: [String] = CommandLine.arguments
  /// The folder it was given in; relative paths are relative to it.
  public var workingDirectory: String = FileManager.default.currentDirectoryPath
  /// The program.
  public var software = Software()
  /// The machine.
  public var machine = Machine()
  /// The numerical libraries by name.
  public var libraries: [String: String] = Dictionary(
    Parallelism.libraries.map { ($0.name, $0.version) } + [("HDF5", HDF5File.libraryVersion)]
  ) { first, _ in first }
  /// The seeds by purpose.
  public var seeds: [String: Int] = [:]
  /// The checksums of the data files by path.
  public var data: [String: String] = [:]
  /// The number of trainable parameters of the model, of a training.
  public var parameterCount: Int?
  /// Where the weights come from that a training began with; nil for fresh ones.
  public var initialWeights: InitialWeights?
  /// When the run started (ISO 8601, UTC).
  public var start: String = Manifest.timestamp()
  /// When it ended or was interrupted.
  public var end: String?
  /// The seconds that it ran, over all its sessions.
  public var wallSeconds: Double = 0
  /// Why it failed, of a run that did.
  public var failure: String?
  /// How often it was continued.
  public var continuations = 0

  /// The manifest of a run that starts now.
  public init(
    seeds: [String: Int] = [:], data: [String: String] = [:], parameterCount: Int? = nil,
    initialWeights: InitialWeights? = nil
  ) {
    self.seeds = seeds
    self.data = data
    self.parameterCount = parameterCount
    self.initialWeights = initialWeights
  }

  /// Reads the manifest of a run.
  ///
  /// - Throws: `InputError` if there is none or it cannot be understood.
  public init(contentsOf path: String) throws {
    let text = try TextFile.read(path)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      self = try decoder.decode(Manifest.self, from: Data(text.utf8))
    } catch {
      throw InputError(path: path, reason: "is not a manifest of this version")
    }
  }

  /// Writes the manifest.
  ///
  /// - Throws: `OutputError`.
  public func write(to path: String) throws { try TextFile.write(Console.json(self) + "\n", to: path) }

  /// The time now (ISO 8601, UTC, seconds).
  static func timestamp() -> String {
    var seconds = time(nil)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
  }
}

/// The program's name and version.
public enum Version {
  /// The name.
  public static let name = "phalarope"
  /// The version, by semantic versioning.
  public static let number = "0.1.0"
  /// Name, version and revision in one line.
  static var line: String {
    "\(name) \(number)" + (GitRevision.ofExecutable.map { " (git \($0))" } ?? "")
  }
  /// The compiler that built the program.
  public static var compiler: String {
    #if compiler(>=6.3)
      "Swift 6.3 or later"
    #else
      "Swift 6.2"
    #endif
  }
}

/// Git revisions, read from the repository's files: no program is started for it.
enum GitRevision {
  /// The revision of the checkout that contains the running program, if any.
  static let ofExecutable: String? = FileSystem.executable.flatMap {
    revision(above: FileSystem.folder(of: $0))
  }

  /// The revision of the repository that contains a folder.
  static func revision(above folder: String) -> String? {
    var folder = folder
    while !FileSystem.exists("\(folder)/.git") {
      let parent = FileSystem.folder(of: folder)
      guard parent != folder, parent != "." else { return nil }
      folder = parent
    }
    var repository = "\(folder)/.git"
    // In a worktree `.git` is a file that names the real place.
    if !FileSystem.isFolder(repository), let text = try? TextFile.read(repository),
      text.hasPrefix("gitdir: ")
    {
      repository = String(text.firstLine.dropFirst("gitdir: ".count))
    }
    guard let head = (try? TextFile.read("\(repository)/HEAD"))?.firstLine else { return nil }
    guard head.hasPrefix("ref: ") else { return head }
    let name = head.dropFirst("ref: ".count)
    let common = (try? TextFile.read("\(repository)/commondir"))?.firstLine
    for place in [repository, common.map { $0.hasPrefix("/") ? $0 : "\(repository)/\($0)" } ?? repository] {
      if let revision = (try? TextFile.read("\(place)/\(name)"))?.firstLine { return revision }
      let packed = (try? TextFile.read("\(place)/packed-refs")) ?? ""
      for line in packed.split(separator: "\n") where line.hasSuffix(" \(name)") {
        return String(line.prefix { $0 != " " })
      }
    }
    return nil
  }
}

/// What the system says about itself.
enum SystemFacts {
  static let processor: String = {
    let information = (try? TextFile.read("/proc/cpuinfo")) ?? ""
    for line in information.split(separator: "\n") where line.hasPrefix("model name") {
      if let colon = line.firstIndex(of: ":") {
        return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      }
    }
    return "unknown"
  }()

  static let operatingSystem: String = {
    let release = (try? TextFile.read("/etc/os-release")) ?? ""
    let name = release.split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }
      .map { $0.dropFirst("PRETTY_NAME=".count).trimmingCharacters(in: CharacterSet(charactersIn: "\"")) }
    var names = utsname()
    uname(&names)
    let kernel = withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return "\(name ?? "Linux"), kernel \(kernel)"
  }()

  static var memory: Int { sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) }

  /// The bytes of memory that this process may use: a container or a batch job may have less than the machine.
  static var usableMemory: Int {
    var limit = memory
    let own = (try? TextFile.read("/proc/self/cgroup"))?.split(separator: "\n").first { $0.hasPrefix("0::/") }
    var folder = "/sys/fs/cgroup" + (own?.dropFirst(3) ?? "/")
    // A limit of any group above holds, too; the root has none.
    while folder.hasPrefix("/sys/fs/cgroup") {
      let text = try? TextFile.read("\(folder)/memory.max").trimmingCharacters(in: .whitespacesAndNewlines)
      if let bytes = text.flatMap(Int.init) { limit = min(limit, bytes) }
      folder = (folder as NSString).deletingLastPathComponent
    }
    return limit
  }
}
