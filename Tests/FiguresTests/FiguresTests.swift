import Figures
import Foundation
import TestSupport
import Testing

@Suite struct SampleTests {
  @Test func sample() throws {
    guard let folder = ProcessInfo.processInfo.environment["FIGURES_SAMPLE"] else { return }
    let page = SamplePage.make()
    try page.write(to: folder + "/page.html")
    try SamplePage.curves.drawing().svg(theme: .paper).write(toFile: folder + "/curves.svg", atomically: true, encoding: .utf8)
  }
}
