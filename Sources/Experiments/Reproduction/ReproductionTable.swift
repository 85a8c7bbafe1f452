/// The published tables that `reproduce` makes anew, each with its data and its rows.
///
/// Settings are those of the shipped configurations; what is written here is only what they leave open.
public enum ReproductionTable: String, CaseIterable, Sendable {
  /// Burgers at six resolutions.
  case burgers
  /// Darcy flow on 85 x 85 points.
  case darcy
  /// Navier-Stokes at viscosity 10⁻³, from ten frames to the next ones.
  case navierStokes = "navier-stokes"

  /// How much of a table is done.
  public enum Scale: String, CaseIterable, Sendable {
    /// Within 20 minutes on two cores: fewer resolutions, samples and epochs.
    case small
    /// With the papers' samples and epochs.
    case paper
  }

  /// What was published for a row.
  struct Published: Codable, Sendable, Equatable {
    /// The relative L2 error; nil where only a figure was published.
    var value: Double?
    /// Where it is printed, and what else is to be known about it.
    var source: String
  }

  /// A row: a model on a number of points.
  struct Row: Sendable {
    /// Its name, as `fno-1024`.
    let name: String
    /// The model in words.
    let model: String
    /// The shipped training configuration.
    let config: String
    /// What makes it this row.
    let settings: [String]
    /// What else the smaller scale needs.
    var smallSettings: [String] = []
    /// The points per axis.
    let points: Int
    /// What was published, by the scale, since a smaller table may be another published one; nil for a row that is
    /// ours.
    let published: @Sendable (Scale) -> Published?
  }

  /// The papers, as the tables cite them.
  private enum Source {
    static let first = "Li et al., ICLR 2021"
    static let journal = "Kovachki et al., JMLR 2023"
    static let figure = "figure only (Roberts et al., NeurIPS 2021)"
  }

  /// The shipped configuration of the data.
  var dataConfig: String { rawValue }

  /// What is changed of the data's configuration, at a scale.
  func dataSettings(_ scale: Scale) -> [String] {
    switch (self, scale) {
    case (.burgers, _): []
    case (.darcy, .small): ["samples=500"]
    case (.darcy, .paper): []
    // The first 1000 samples are for training, the last 200 for the test.
    case (.navierStokes, .paper): ["samples=1200"]
    case (.navierStokes, .small): ["samples=250", "equation.final_time=20", "equation.frames=20"]
    }
  }

  /// What is changed of every training configuration, at a scale.
  func trainingSettings(_ scale: Scale) -> [String] {
    switch (self, scale) {
    case (_, .paper): []
    case (.burgers, .small): ["epochs=30"]
    case (.darcy, .small): ["data.train_samples=400", "epochs=25"]
    case (.navierStokes, .small):
      ["data.train_samples=200", "data.test_samples=50", "data.target_frames=11..20", "epochs=80"]
    }
  }

  /// The names of the rows that are done at a scale unless others are chosen: the published ones.
  func chosenRows(_ scale: Scale) -> [String] {
    let published = rows.filter { $0.published(scale) != nil }
    return published.filter { scale == .paper || self != .burgers || [256, 1024].contains($0.points) }
      .map(\.name)
  }

  /// What every row of the table has in common beside the papers, or has not.
  var remarks: [String] {
    switch self {
    case .burgers:
      [
        "Data: solved anew to a relative error of about 10⁻⁹; the published ones are of a split-step scheme of low "
          + "order. Same equation, law of the inputs, grid of 8192 points and number of samples; coarser grids are "
          + "strided, as theirs."
      ]
    case .darcy:
      [
        "Data: solved anew with the same scheme on 421 x 421 points, strided to 85 x 85; permeabilities lie at the "
          + "vertices from the start, while the papers' script moves them there by splines.",
        "Training and test samples come from one file; the papers have two.",
      ]
    case .navierStokes:
      [
        "Data: solved anew to the fourth order with controlled errors, on 256 x 256 points stored at 64 x 64; the "
          + "published ones are of an explicit Euler scheme of the first order.",
        "Times are coordinates (j - 1)/(T - 1) for the j-th frame, where the authors took j/T.",
      ]
    }
  }

  /// All rows, of every scale.
  var rows: [Row] {
    switch self {
    case .burgers: [256, 512, 1024, 2048, 4096, 8192].flatMap(Self.burgersRows)
    case .darcy: Self.darcyRows
    case .navierStokes: Self.navierStokesRows
    }
  }

  /// The layers of the first paper, on top of the modern configuration.
  private static let first = ["model.activation=relu", "model.normalization=batch", "schedule.epochs=100"]

  /// The layers of the modern networks, on top of a configuration of the first paper.
  private static let modern = ["model.activation=gelu", "model.normalization=none"]

  private static func burgersRows(_ points: Int) -> [Row] {
    let first: [Int: Double] = [
      256: 0.0149, 512: 0.0158, 1024: 0.0160, 2048: 0.0146, 4096: 0.0142, 8192: 0.0139,
    ]
    let journal: [Int: Double] = [
      256: 0.0018, 512: 0.0018, 1024: 0.0018, 2048: 0.0019, 4096: 0.0020, 8192: 0.0019,
    ]
    let modern =
      points == 1024
      ? Published(value: 0.0007, source: "\(Source.journal), text, GELU; its table has 0.0018 with ReLU")
      : Published(
        value: journal[points],
        source: "\(Source.journal), table, but with ReLU; the text has 0.0007 with GELU")
    let original = Published(value: first[points], source: "\(Source.first), table")
    let figure = Published(value: nil, source: Source.figure)
    return [
      Row(
        name: "fno-\(points)", model: "FNO, modern: GELU, no normalisation", config: "burgers-fno",
        settings: [], points: points
      ) { _ in modern },
      Row(
        name: "fno2020-\(points)", model: "FNO of 2020: ReLU, batch normalisation", config: "burgers-fno",
        settings: Self.first, points: points
      ) { _ in original },
      Row(
        name: "cnn-\(points)", model: "CNN, XD's backbone", config: "burgers-cnn", settings: [],
        points: points
      ) { _ in figure },
      Row(
        name: "xd-\(points)", model: "XD from that CNN", config: "burgers-xd", settings: [], points: points
      ) { _ in figure },
      Row(
        name: "xd-modern-\(points)", model: "XD, modern: GELU, no normalisation", config: "burgers-xd",
        settings: Self.modern, points: points
      ) { _ in nil },
    ]
  }

  private static var darcyRows: [Row] {
    let figure = Published(value: nil, source: Source.figure)
    func row(
      _ name: String, _ model: String, _ config: String, _ settings: [String], _ published: Published
    ) -> Row {
      Row(name: "\(name)-85", model: model, config: config, settings: settings, points: 85) { _ in published }
    }
    return [
      row(
        "fno", "FNO, modern: GELU, no normalisation, padding", "darcy-fno", [],
        Published(
          value: 0.0076, source: "reported by a user of the authors' later code; no paper prints it")),
      row(
        "fno2020", "FNO of 2020: ReLU, batch normalisation", "darcy-fno", Self.first + ["model.padding=0"],
        Published(value: 0.0108, source: "\(Source.first), table")),
      row("cnn", "CNN, XD's backbone", "darcy-cnn", [], figure),
      row("xd", "XD from that CNN", "darcy-xd", [], figure),
    ]
  }

  private static var navierStokesRows: [Row] {
    func row(
      _ name: String, _ model: String, _ config: String, small: [String] = [], _ published: [Scale: Double]
    ) -> Row {
      let sources: [Scale: String] = [
        .paper: "\(Source.first), table 1: 1000 samples, t = 11 to 50",
        .small: "\(Source.first), study of resolutions: 200 samples, t = 11 to 20, 64 x 64",
      ]
      return Row(
        name: name, model: model, config: config, settings: [], smallSettings: small, points: 64
      ) { Published(value: published[$0], source: sources[$0] ?? "") }
    }
    return [
      row(
        "fno-2d", "FNO-2D, frame by frame", "fno2020/ns-1e-3-fno-2d", [.paper: 0.0128, .small: 0.0129]),
      // Ten frames hold no eight modes; the authors take four there.
      row(
        "fno-3d", "FNO-3D, in space and time", "fno2020/ns-1e-3-fno-3d", small: ["model.modes=[8, 8, 4]"],
        [.paper: 0.0086, .small: 0.0098]),
    ]
  }
}
