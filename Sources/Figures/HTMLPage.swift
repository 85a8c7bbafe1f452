import Files

/// One self-contained HTML page: its style, its text and its figures in a single file that loads nothing.
///
/// All text is escaped; the only markup that gets in is what this type writes and the SVG of drawings. A
/// content security policy in the page forbids scripts and every address but `data:`, so that a browser
/// enforces what is promised here. Colours follow the reader's preference for light or dark, and print on white.
public struct HTMLPage: Sendable {
  /// A drawing with the words under it.
  public struct Figure: Sendable {
    /// What is drawn.
    public var drawing: Drawing
    /// What the reader should see in it; empty for none.
    public var caption: String

    /// A figure with its caption.
    public init(_ drawing: Drawing, caption: String = "") {
      self.drawing = drawing
      self.caption = caption
    }
  }

  /// A table of text and numbers.
  public struct Table: Sendable {
    /// The names of the columns.
    public var columns: [String]
    /// The cells, row by row.
    public var rows: [[String]]
    /// The columns that hold numbers, aligned to the right.
    public var numericColumns: Set<Int>
    /// What the table says; empty for none.
    public var caption: String

    /// A table; every row has as many cells as there are columns.
    public init(columns: [String], rows: [[String]], numericColumns: Set<Int> = [], caption: String = "") {
      precondition(rows.allSatisfy { $0.count == columns.count }, "a row of another length than the header")
      self.columns = columns
      self.rows = rows
      self.numericColumns = numericColumns
      self.caption = caption
    }
  }

  private enum Block: Sendable {
    case paragraph(String)
    case facts([(name: String, value: String)])
    case headlines([(name: String, value: String, note: String)])
    case table(Table)
    case figures([Figure], minimumWidth: Double)
    case details(summary: String, text: String)
  }

  private struct Section: Sendable {
    var title: String
    var blocks: [Block] = []
  }

  /// The title of the page and its first heading.
  public let title: String

  /// A line above the title that says what kind of page it is.
  public var kicker: String

  /// A line under the title.
  public var subtitle: String

  /// A line at the end of the page.
  public var footer: String

  private var sections: [Section] = []

  /// An empty page.
  public init(title: String, kicker: String = "", subtitle: String = "", footer: String = "") {
    self.title = title
    self.kicker = kicker
    self.subtitle = subtitle
    self.footer = footer
  }

  // MARK: - Building

  /// Starts a section; what is added next belongs to it.
  public mutating func section(_ title: String) { sections.append(Section(title: title)) }

  /// Adds a paragraph of plain text.
  public mutating func paragraph(_ text: String) { add(.paragraph(text)) }

  /// Adds names with their values, such as the settings of a run.
  public mutating func facts(_ facts: [(name: String, value: String)]) {
    if !facts.isEmpty { add(.facts(facts)) }
  }

  /// Adds the few numbers that matter most, in large type, each with a short note.
  public mutating func headlines(_ numbers: [(name: String, value: String, note: String)]) {
    if !numbers.isEmpty { add(.headlines(numbers)) }
  }

  /// Adds a table.
  public mutating func table(_ table: Table) { add(.table(table)) }

  /// Adds figures side by side, as many to a row as fit when none is narrower than `minimumWidth` pixels.
  public mutating func figures(_ figures: [Figure], minimumWidth: Double = 240) {
    if !figures.isEmpty { add(.figures(figures, minimumWidth: minimumWidth)) }
  }

  /// Adds preformatted text that the reader can unfold, such as a configuration.
  public mutating func details(_ summary: String, text: String) {
    add(.details(summary: summary, text: text))
  }

  private mutating func add(_ block: Block) {
    if sections.isEmpty { sections.append(Section(title: "")) }
    sections[sections.count - 1].blocks.append(block)
  }

  // MARK: - Rendering

  /// The page as the text of an HTML file.
  public func rendered() -> String {
    var html = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
      <link rel="icon" href="data:,">
      <title>\(escaped(title))</title>
      <style>
      \(Self.styleSheet)
      </style>
      </head>
      <body>
      <header>

      """
    if !kicker.isEmpty { html += "<p class=\"kicker\">\(escaped(kicker))</p>\n" }
    html += "<h1>\(escaped(title))</h1>\n"
    if !subtitle.isEmpty { html += "<p class=\"subtitle\">\(escaped(subtitle))</p>\n" }
    let titled = sections.enumerated().filter { !$0.element.title.isEmpty }
    if titled.count > 2 {
      html += "<nav aria-label=\"Contents\">\n"
      for (index, section) in titled {
        html += "<a href=\"#section-\(index + 1)\">\(escaped(section.title))</a>\n"
      }
      html += "</nav>\n"
    }
    html += "</header>\n<main>\n"
    for (index, section) in sections.enumerated() {
      html += "<section id=\"section-\(index + 1)\">\n"
      if !section.title.isEmpty { html += "<h2>\(escaped(section.title))</h2>\n" }
      for block in section.blocks { html += Self.rendered(block) }
      html += "</section>\n"
    }
    html += "</main>\n"
    if !footer.isEmpty { html += "<footer>\(escaped(footer))</footer>\n" }
    return html + "</body>\n</html>\n"
  }

  /// Writes the page, whole or not at all.
  ///
  /// - Throws: `FileError`.
  public func write(to path: String) throws { try AtomicFile.write(rendered(), to: path) }

  private static func rendered(_ block: Block) -> String {
    switch block {
    case .paragraph(let text): return "<p>\(escaped(text))</p>\n"
    case .facts(let facts):
      let rows = facts.map { "<div><dt>\(escaped($0.name))</dt><dd>\(escaped($0.value))</dd></div>\n" }
      return "<dl class=\"facts\">\n\(rows.joined())</dl>\n"
    case .headlines(let numbers):
      let cells = numbers.map { number in
        "<div><dt>\(escaped(number.name))</dt><dd>\(escaped(number.value))"
          + (number.note.isEmpty ? "" : "<small>\(escaped(number.note))</small>") + "</dd></div>\n"
      }
      return "<dl class=\"headlines\">\n\(cells.joined())</dl>\n"
    case .table(let table): return rendered(table)
    case .figures(let figures, let minimumWidth):
      let style = "--minimum:\(svgNumber(minimumWidth))px"
      let cells = figures.map { figure in
        "<figure>\n\(figure.drawing.svg(theme: .page))"
          + (figure.caption.isEmpty ? "" : "<figcaption>\(escaped(figure.caption))</figcaption>\n")
          + "</figure>\n"
      }
      return "<div class=\"figures\" style=\"\(style)\">\n\(cells.joined())</div>\n"
    case .details(let summary, let text):
      return "<details><summary>\(escaped(summary))</summary>\n<pre>\(escaped(text))</pre>\n</details>\n"
    }
  }

  private static func rendered(_ table: Table) -> String {
    func cell(_ tag: String, _ index: Int, _ text: String) -> String {
      let kind = table.numericColumns.contains(index) ? " class=\"number\"" : ""
      return "<\(tag)\(kind)\(tag == "th" ? " scope=\"col\"" : "")>\(escaped(text))</\(tag)>"
    }
    var html = "<div class=\"scroll\"><table>\n"
    if !table.caption.isEmpty { html += "<caption>\(escaped(table.caption))</caption>\n" }
    html += "<thead><tr>"
    html += table.columns.enumerated().map { cell("th", $0.offset, $0.element) }.joined()
    html += "</tr></thead>\n<tbody>\n"
    for row in table.rows {
      html += "<tr>" + row.enumerated().map { cell("td", $0.offset, $0.element) }.joined() + "</tr>\n"
    }
    return html + "</tbody>\n</table></div>\n"
  }

  private static func series(_ colors: [UInt32]) -> String {
    colors.enumerated().map { "--series-\($0.offset + 1): \(RGB(hex: $0.element).hexadecimal);" }
      .joined(separator: " ")
  }

  private static let light = """
    --ink: #1d2126; --muted: #5d6670; --grid: #e3e7ea; --rule: #d5dade; --surface: #ffffff; --inset: #f5f6f7;
    --accent: #0b5f97; \(series(Theme.paperSeries))
    """

  private static let dark = """
    --ink: #e4e7ea; --muted: #9aa4ae; --grid: #2a3036; --rule: #363d44; --surface: #14171a; --inset: #1c2024;
    --accent: #7cc0ea; \(series(Theme.darkSeries))
    """

  private static let styleSheet = """
    :root { color-scheme: light dark; \(light) }
    @media (prefers-color-scheme: dark) { :root { \(dark) } }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; }
    body { margin: 0 auto; max-width: 1180px; padding: 3rem 2.5rem 4rem; color: var(--ink);
      background: var(--surface); line-height: 1.55;
      font: 400 1rem/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
    header { margin-bottom: 2.5rem; padding-bottom: 1.5rem; border-bottom: 1px solid var(--rule); }
    .kicker { margin: 0 0 .35rem; color: var(--muted); font-size: .8rem; letter-spacing: .08em;
      text-transform: uppercase; }
    h1 { margin: 0; font-size: 2rem; font-weight: 600; line-height: 1.2; letter-spacing: -.01em;
      overflow-wrap: anywhere; }
    .subtitle { margin: .6rem 0 0; color: var(--muted); max-width: 46rem; overflow-wrap: anywhere; }
    nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin-top: 1.1rem; font-size: .9rem; }
    a { color: var(--accent); text-decoration: none; }
    a:hover, a:focus-visible { text-decoration: underline; }
    section { margin: 0 0 3rem; scroll-margin-top: 1rem; }
    h2 { margin: 0 0 1rem; font-size: 1.25rem; font-weight: 600; letter-spacing: -.005em; }
    p { max-width: 46rem; margin: 0 0 1rem; }
    .headlines { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(10.5rem, 100%), 1fr));
      gap: 1px; margin: 0 0 1.75rem; background: var(--rule); border: 1px solid var(--rule);
      border-radius: 6px; overflow: hidden; }
    .headlines div { padding: .85rem 1.1rem .95rem; background: var(--surface); }
    .headlines dt { color: var(--muted); font-size: .82rem; }
    .headlines dd { margin: .1rem 0 0; font-size: 1.55rem; font-weight: 600; line-height: 1.25;
      font-variant-numeric: tabular-nums; }
    .headlines small { display: block; color: var(--muted); font-size: .8rem; font-weight: 400; }
    .facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr));
      gap: 0 2.5rem; margin: 0 0 1.5rem; font-size: .925rem; }
    .facts div { display: flex; gap: 1rem; justify-content: space-between; padding: .38rem 0;
      border-bottom: 1px solid var(--grid); }
    .facts dt { color: var(--muted); }
    .facts dd { margin: 0; text-align: right; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
    .scroll { overflow-x: auto; margin: 0 0 1.5rem; }
    table { border-collapse: collapse; font-size: .925rem; }
    caption { padding-bottom: .5rem; color: var(--muted); text-align: left; }
    th, td { padding: .4rem 1.5rem .4rem 0; border-bottom: 1px solid var(--grid); text-align: left; }
    th { color: var(--muted); font-weight: 500; border-bottom-color: var(--rule); }
    .number { text-align: right; font-variant-numeric: tabular-nums; }
    .figures { display: grid; gap: 1.5rem 1.25rem; margin: 0 0 1.75rem; align-items: start;
      grid-template-columns: repeat(auto-fill, minmax(min(var(--minimum), 100%), 1fr)); }
    figure { margin: 0; min-width: 0; }
    figure svg { display: block; width: auto; max-width: 100%; height: auto; color: var(--ink);
      font-family: inherit; }
    figcaption { margin-top: .4rem; color: var(--muted); font-size: .875rem; line-height: 1.45;
      max-width: 46rem; }
    details { margin: 0 0 .6rem; border: 1px solid var(--rule); border-radius: 6px; }
    summary { padding: .55rem .9rem; cursor: pointer; font-size: .925rem; }
    pre { margin: 0; padding: .9rem; overflow-x: auto; background: var(--inset);
      border-top: 1px solid var(--rule); font: .82rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas,
      "DejaVu Sans Mono", monospace; }
    footer { padding-top: 1.25rem; border-top: 1px solid var(--rule); color: var(--muted); font-size: .85rem; }
    @media (max-width: 40rem) { body { padding: 1.5rem 1.1rem 3rem; } h1 { font-size: 1.5rem; } }
    @media print {
      :root { color-scheme: light; \(light) }
      body { max-width: none; padding: 0; font-size: 10pt; }
      nav { display: none; }
      figure, .headlines, table, tr { break-inside: avoid; }
      h2 { break-after: avoid; }
    }
    """
}
