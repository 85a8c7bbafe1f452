import Experiments
import Testing

/// Reads `text` as `x.yaml` by `body` and returns the messages of the mistakes, one per line.
private func mistakes(
  _ text: String, _ overrides: [String] = [], _ body: (ConfigSection) -> Void
) -> String {
  do {
    let section = try ConfigSection(parsing: text, path: "x.yaml", overrides: overrides)
    body(section)
    try section.finish()
    return ""
  } catch { return "\(error)" }
}

@Suite struct ConfigSectionTests {
  enum Colour: String, CaseIterable { case red, green }

  @Test func valuesOfEveryType() throws {
    let text = """
      int: -3
      hexadecimal: 0x10
      double: 1e-3
      whole: 2
      text: plain words
      quoted: "12"
      truth: true
      ints: [1, 2]
      one: 7
      doubles: [.5, 1.E2, -3]
      colour: green
      points: [[0, 0.5], [0.25, 0.75]]
      inner:
        deep:
          key: 1
      """
    let section = try ConfigSection(parsing: text, path: "x.yaml")
    #expect(section.int("int") == -3)
    #expect(section.int("hexadecimal") == 16)
    #expect(section.double("double") == 1e-3)
    #expect(section.double("whole") == 2)
    #expect(section.string("text") == "plain words")
    #expect(section.string("quoted") == "12")
    #expect(section.bool("truth"))
    #expect(section.intList("ints") == [1, 2])
    #expect(section.intList("one") == [7])
    #expect(section.doubleList("doubles") == [0.5, 100, -3])
    #expect(section.choice("colour", of: Colour.self) == .green)
    #expect(
      section.optionalPoints("points", dimensions: 2...2, in: .between(0, 1)) == [[0, 0.5], [0.25, 0.75]])
    #expect(section.section("inner").section("deep").int("key") == 1)
    #expect(section.optionalInt("absent") == nil)
    #expect(section.int("missing", default: 5) == 5)
    try section.finish()
  }

  @Test func unknownKeyNamesTheNearest() {
    let message = mistakes("model:\n  wdth: 32\n") { section in
      _ = section.section("model").int("width", default: 1)
    }
    #expect(message == "x.yaml:2: unknown key 'model.wdth' (did you mean 'model.width'?)")
  }

  @Test func unknownKeyOfAnotherSectionNamesIt() {
    let message = mistakes("width: 32\nmodel:\n  width: 1\n") { section in
      _ = section.section("model").int("width")
    }
    #expect(message == "x.yaml:1: unknown key 'width' (did you mean 'model.width'?)")
  }

  @Test func unknownKeyWithoutNearOneListsTheValidOnes() {
    let message = mistakes("model:\n  zebra: 32\n") { section in
      let model = section.section("model")
      _ = model.int("width", default: 1)
      _ = model.int("modes", default: 1)
    }
    #expect(message == "x.yaml:2: unknown key 'model.zebra' (valid keys: model.width, model.modes)")
  }

  @Test func misspeltRequiredKeyIsReportedAsUnknownOnly() {
    let message = mistakes("model:\n  wdth: 32\n") { section in
      _ = section.section("model").int("width")
    }
    #expect(message == "x.yaml:2: unknown key 'model.wdth' (did you mean 'model.width'?)")
  }

  @Test func missingKeyWhoseNeighbourIsNearButValid() {
    // "tests" could be a misspelling of "test", until it turns out to be a key of its own.
    let message = mistakes("tests: 1\n") { section in
      _ = section.int("test")
      _ = section.int("tests")
    }
    #expect(message == "x.yaml:1: 'test' is missing; it must be an integer")
  }

  @Test func missingKeyPointsAtItsSection() {
    let message = mistakes("a: 1\nmodel:\n  modes: 3\n") { section in
      _ = section.int("a")
      let model = section.section("model")
      _ = model.int("modes")
      _ = model.double("viscosity")
    }
    #expect(message == "x.yaml:2: 'model.viscosity' is missing; it must be a number")
  }

  @Test(arguments: [
    ("w: wide", "w", "x.yaml:1: 'w' is wide; it must be an integer"),
    ("w: 1.5", "w", "x.yaml:1: 'w' is 1.5; it must be an integer"),
    ("w: \"3\"", "w", "x.yaml:1: 'w' is \"3\"; it must be an integer"),
    ("w: [1, 2]", "w", "x.yaml:1: 'w' is [1, 2]; it must be an integer"),
    ("w:\n  a: 1", "w", "x.yaml:1: 'w' is a section; it must be an integer"),
    ("w:", "w", "x.yaml:1: 'w' is empty; it must be an integer"),
    ("w: 99999999999999999999", "w", "x.yaml:1: 'w' is 99999999999999999999; it must be an integer"),
  ])
  func wrongTypeOfAnInteger(text: String, key: String, expected: String) {
    #expect(mistakes(text) { _ = $0.int(key) } == expected)
  }

  @Test func wrongTypesOfTheOthers() {
    #expect(mistakes("x: nan") { _ = $0.double("x") } == "x.yaml:1: 'x' is nan; it must be a number")
    #expect(mistakes("x: 1e999") { _ = $0.double("x") } == "x.yaml:1: 'x' is 1e999; it must be a number")
    #expect(mistakes("x: 12") { _ = $0.string("x") } == "x.yaml:1: 'x' is 12; it must be a text")
    #expect(mistakes("x: yes") { _ = $0.bool("x") } == "x.yaml:1: 'x' is yes; it must be true or false")
    #expect(
      mistakes("x: [1, b]") { _ = $0.intList("x") }
        == "x.yaml:1: 'x' is [1, b]; it must be a list of integers")
    #expect(
      mistakes("x: 3") { _ = $0.section("x") }
        == "x.yaml:1: 'x' is 3; it must be a section with keys of its own")
    #expect(
      mistakes("x: gren") { _ = $0.choice("x", of: Colour.self) }
        == "x.yaml:1: 'x' is gren; it must be one of red, green (did you mean 'green'?)")
  }

  @Test func rangesNameTheBound() {
    #expect(
      mistakes("v: -0.1") { _ = $0.double("v", in: .positive) }
        == "x.yaml:1: 'v' is -0.1; it must be greater than 0")
    #expect(
      mistakes("v: 7") { _ = $0.int("v", in: .even(atLeast: 8)) }
        == "x.yaml:1: 'v' is 7; it must be even and at least 8")
    #expect(
      mistakes("v: [3, 0]") { _ = $0.intList("v", in: .atLeast(1)) }
        == "x.yaml:1: 'v' is [3, 0]; it must be integers, each at least 1")
  }

  @Test func allMistakesAtOnceInTheOrderOfTheFile() {
    let message = mistakes("a: x\nb: -1\nc: 3\n") { section in
      _ = section.int("b", in: .positive)
      _ = section.int("a")
    }
    #expect(
      message == """
        x.yaml:1: 'a' is x; it must be an integer
        x.yaml:2: 'b' is -1; it must be greater than 0
        x.yaml:3: unknown key 'c' (valid keys: b, a)
        """)
  }

  @Test func checksWaitUntilEveryValueIsSound() {
    let body: (ConfigSection) -> Void = { section in
      let a = section.int("a", in: .positive)
      section.check("a", 10 / a > 1, "it must be below 10")  // would divide by zero
    }
    #expect(mistakes("a: 0", [], body) == "x.yaml:1: 'a' is 0; it must be greater than 0")
    #expect(mistakes("a: 50", [], body) == "x.yaml:1: 'a' is 50; it must be below 10")
  }

  @Test func overrides() throws {
    let section = try ConfigSection(
      parsing: "model:\n  width: 8\n", path: "x.yaml",
      overrides: ["model.width=32", "model.modes=[3, 4]", "rate=1e-3"])
    let model = section.section("model")
    #expect(model.int("width") == 32)
    #expect(model.origin(of: "width") == .commandLine)
    #expect(model.intList("modes") == [3, 4])
    #expect(section.double("rate") == 1e-3)
    try section.finish()
  }

  @Test func mistakesOfOverridesNameTheCommandLine() {
    let body: (ConfigSection) -> Void = { _ = $0.section("model").int("width") }
    let text = "model:\n  width: 8\n"
    #expect(
      mistakes(text, ["model.width=wide"], body)
        == "command line: 'model.width' is wide; it must be an integer")
    #expect(
      mistakes(text, ["model.wdth=3"], body)
        == "command line: unknown key 'model.wdth' (did you mean 'model.width'?)")
    #expect(
      mistakes(text, ["model=3"], body)
        == "command line: 'model' is 3; it must be a section with keys of its own")
    #expect(
      mistakes(text, ["width"], body) == "command line: 'width' is not an override: write key=value")
    #expect(
      mistakes(text, ["model..width=3"], body)
        == "command line: 'model..width=3' has an empty key: write section.key=value")
    #expect(
      mistakes(text, ["model.width=[1"], body)
        == "command line: the value of 'model.width=[1' is not valid YAML")
  }

  @Test func syntaxErrors() {
    #expect(
      mistakes("a: 1\nb: [1, 2\nc: 3\n") { _ in }.hasPrefix("x.yaml:3: not valid YAML: "))
    #expect(mistakes("a: 1\na: 2\n") { _ in }.contains("duplicate key 'a': keep one of them"))
    #expect(mistakes("- 1\n- 2\n") { _ in } == "x.yaml:1: a configuration is a list of 'key: value' lines")
    #expect(!mistakes("a: \u{1}\n") { _ in }.contains("\n"))
    #expect(mistakes("") { _ in }.isEmpty)
  }

  @Test func resolvedYAMLReadsBackAsTheSame() throws {
    func read(_ section: ConfigSection) throws -> [String: String] {
      _ = section.double("small", default: 1e-5)
      _ = section.double("large", default: 1e300)
      _ = section.double("third", default: 1.0 / 3)
      _ = section.string("number", default: "12")
      _ = section.string("colon", default: "a: b # c")
      _ = section.string("word", default: "yes")
      _ = section.optionalString("absent")
      let inner = section.section("inner")
      _ = inner.doubleList("list", default: [1, 1e-7])
      _ = inner.bool("flag", default: false)
      _ = section.int("after", default: 1)
      try section.finish()
      return section.resolvedValues
    }
    let first = try ConfigSection(parsing: "inner:\n  flag: true\n", path: "x.yaml")
    let values = try read(first)
    #expect(values["inner.flag"] == "true")
    #expect(values["absent"] == nil)
    let second = try ConfigSection(parsing: first.resolvedYAML, path: "y.yaml")
    #expect(try read(second) == values)
    #expect(second.resolvedYAML == first.resolvedYAML)
    #expect(first.resolvedYAML.contains("small: 1.0e-05"))
  }
}

@Suite struct SpellingTests {
  @Test(arguments: [
    ("wdth", "width", 1), ("abc", "abc", 0), ("", "ab", 2), ("ab", "ba", 1), ("kitten", "sitting", 3),
  ])
  func distances(a: String, b: String, distance: Int) {
    #expect(Spelling.distance(a, b) == distance)
    #expect(Spelling.distance(b, a) == distance)
  }
}
