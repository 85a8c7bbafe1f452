import ArgumentParser

@main
struct Phalarope: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "A neural PDE solver toolkit.")
}
