import Figures
import Files
import Foundation
import TestSupport
import Testing

@Suite struct HTMLPageTests {
  @Test func textIsEscaped() {
    let html = SamplePage.make().rendered()
    #expect(html.contains("Navier–Stokes &lt;sample&gt; &amp; &quot;page&quot;"))
    #expect(!html.contains("<b>markup"))
  }

  @Test func nothingIsLoadedFromElsewhere() {
    var html = SamplePage.make().rendered()
    // The one address of the sample is text that a reader sees, not one that a browser follows.
    html = html.replacingOccurrences(of: "an https://example.org/ that", with: "")
    for forbidden in ["http:", "https:", "//", "@import", "url(", "<script", "src="] {
      // Base64 may contain two slashes in a row.
      let text = html.replacingOccurrences(
        of: "base64,[A-Za-z0-9+/=]*", with: "", options: .regularExpression)
      #expect(!text.contains(forbidden), "\(forbidden)")
    }
    #expect(html.contains("default-src 'none'"))
  }

  /// One launch of the browser takes about a second.
  @Test func chromiumDrawsItInTheDark() throws {
    try withTemporaryFolder { folder in
      let page = SamplePage.make().rendered()
      let path = "\(folder)/page.html"
      try AtomicFile.write(page, to: path)
      let visit = try HeadlessBrowser().open(path, prefersDark: true, in: folder)
      #expect(visit.complaints.isEmpty, "\(visit.complaints)")
      let picture = try PNGImage(decoding: visit.screenshot)
      #expect(picture[2, 2].lightness < 0.3, "the page is dark for readers who prefer that")
      let colors = Set(
        (0..<picture.height).flatMap { y in stride(from: 0, to: picture.width, by: 3).map { picture[$0, y] } }
      )
      // Text and axes alone have a few dozen shades; the fields bring hundreds.
      #expect(colors.count > 300, "\(colors.count) colours: the fields are not drawn")
    }
  }

  @Test func chromiumGivesEveryFigureASize() throws {
    try withTemporaryFolder { folder in
      let page = HeadlessBrowser.measuring(
        SamplePage.make().rendered(), elements: "figure > svg, image, table, h1, h2, dl, details")
      let path = "\(folder)/page.html"
      try AtomicFile.write(page, to: path)
      let visit = try HeadlessBrowser().open(path, width: 600, in: folder)
      #expect(visit.complaints.isEmpty, "\(visit.complaints)")
      let boxes = HeadlessBrowser.boxes(in: visit.document)
      #expect(boxes.count { $0.tag == "svg" } == 8)
      #expect(boxes.count { $0.tag == "h2" } == 4)
      // Four panels with a field and a bar, the sensors as well: two images each.
      #expect(boxes.count { $0.tag == "image" } == 10)
      for box in boxes { #expect(box.width > 8 && box.height > 8, "\(box)") }
      #expect(boxes.allSatisfy { $0.width <= 600 }, "figures shrink with a narrow window")
    }
  }
}
