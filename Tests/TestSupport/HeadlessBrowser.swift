import Foundation

/// Opens pages in headless Chromium, as a reader's browser would, without a network.
public struct HeadlessBrowser {
  /// Why a page could not be opened.
  public struct Failure: Error, CustomStringConvertible {
    /// What happened and what to install.
    public let description: String
  }

  /// What the browser made of a page.
  public struct Visit {
    /// The document after loading, as HTML.
    public let document: String
    /// The bytes of a PNG of the window.
    public let screenshot: [UInt8]
    /// Messages of the page's console and failed loads, one per line; empty when all is well.
    public let complaints: [String]
  }

  private let executable: String

  /// Finds the browser on the search path, or where `PHALAROPE_CHROMIUM` says.
  ///
  /// - Throws: ``Failure`` that names what to install.
  public init() throws {
    let environment = ProcessInfo.processInfo.environment
    let folders = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    let candidates = names.flatMap { name in folders.map { "\($0)/\(name)" } }
    guard
      let found = ([environment["PHALAROPE_CHROMIUM"]].compactMap { $0 } + candidates)
        .first(where: { FileManager.default.isExecutableFile(atPath: $0) })
    else {
      throw Failure(
        description:
          "Chromium is not installed; `make test` needs it to open the reports (README, Development: "
          + "Debian package chromium), or set PHALAROPE_CHROMIUM to the browser's path")
    }
    executable = found
  }

  /// Opens the file, waits until it is loaded, and takes its picture.
  ///
  /// - Parameters:
  ///   - path: An HTML file.
  ///   - prefersDark: Whether the page is told that the reader prefers dark colours.
  ///   - folder: A folder for the browser's profile and the picture.
  public func open(
    _ path: String, prefersDark: Bool = false, width: Int = 1280, height: Int = 2400, in folder: String
  ) throws -> Visit {
    let picture = "\(folder)/page.png"
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = [
      "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-extensions",
      "--disable-background-networking", "--disable-component-update", "--no-first-run",
      "--user-data-dir=\(folder)/profile", "--host-resolver-rules=MAP * ~NOTFOUND",
      "--enable-logging=stderr", "--blink-settings=preferredColorScheme=\(prefersDark ? 0 : 1)",
      "--window-size=\(width),\(height)", "--dump-dom", "--screenshot=\(picture)",
      URL(fileURLWithPath: path).absoluteString,
    ]
    // Files, not pipes: a full pipe would stop the browser while it is waited for.
    let (output, log) = ("\(folder)/document.html", "\(folder)/browser.log")
    for file in [output, log] { _ = FileManager.default.createFile(atPath: file, contents: nil) }
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: log)
    try process.run()
    let deadline = Date().addingTimeInterval(60)
    while process.isRunning && Date() < deadline { Thread.sleep(forTimeInterval: 0.05) }
    if process.isRunning {
      process.terminate()
      throw Failure(description: "\(executable) did not finish within 60 s on \(path)")
    }
    let messages = try String(contentsOfFile: log, encoding: .utf8)
    guard process.terminationStatus == 0 else {
      throw Failure(
        description: "\(executable) ended with \(process.terminationStatus): \(messages.suffix(500))")
    }
    let marks = [":CONSOLE", "ERR_", "Refused to", "Content Security Policy"]
    return Visit(
      document: try String(contentsOfFile: output, encoding: .utf8),
      screenshot: [UInt8](try Data(contentsOf: URL(fileURLWithPath: picture))),
      complaints: messages.split(separator: "\n").map(String.init)
        .filter { line in marks.contains { line.contains($0) } })
  }

  /// The page with a script that records in the document how large every element of interest was drawn.
  ///
  /// The script replaces the page's own policy, which forbids scripts. After ``open(_:prefersDark:width:height:in:)``
  /// the body's attribute `data-boxes` holds `tag width height` triples separated by `;`.
  public static func measuring(_ page: String, elements: String) -> String {
    let script = """
      <script>addEventListener("load", () => { document.body.dataset.boxes = [...document.querySelectorAll("\(elements)")]
      .map(e => { const b = e.getBoundingClientRect(); return `${e.tagName.toLowerCase()} ${b.width} ${b.height}` }).join(";") });
      </script></body>
      """
    return page.replacingOccurrences(
      of: "<meta http-equiv=\"Content-Security-Policy\"[^>]*>", with: "", options: .regularExpression
    ).replacingOccurrences(of: "</body>", with: script)
  }

  /// The boxes that a page made by ``measuring(_:elements:)`` recorded.
  public static func boxes(in document: String) -> [(tag: String, width: Double, height: Double)] {
    guard let start = document.range(of: "data-boxes=\"") else { return [] }
    return document[start.upperBound...].prefix { $0 != "\"" }.split(separator: ";").compactMap { box in
      let parts = box.split(separator: " ")
      guard parts.count == 3, let width = Double(parts[1]), let height = Double(parts[2]) else { return nil }
      return (String(parts[0]), width, height)
    }
  }
}
