import Archives
import Datasets
import Foundation
import Glibc
import HDF5
import Tensors

// Reads damaged copies of a dataset file: `mutants FILE FIRST COUNT FOLDER`.
//
// Mutant i follows from i alone. A mutant must be read, or refused by an error of exit status 65 or 66 (the system's
// "cannot be read", as for a link into nothing). Anything else ends the process: an error of another kind with status
// 1, a crash of HDF5 with 65 (its guard), any other crash, too much memory (set a limit with ulimit) or a hang with a
// signal. The number of the mutant at work is in FOLDER/index, with how many were read and refused before it; the
// mutant itself is in FOLDER/mutant.

let arguments = CommandLine.arguments
guard arguments.count == 5, let first = Int(arguments[2]), let count = Int(arguments[3]),
  let original = FileManager.default.contents(atPath: arguments[1]).map({ [UInt8]($0) }), !original.isEmpty
else {
  print("usage: mutants FILE FIRST COUNT FOLDER")
  exit(64)
}
let folder = arguments[4]
let path = "\(folder)/mutant"
HDF5File.exitOnCrashes(secondsPerCall: 2)

/// One damaged copy.
func mutant(_ index: Int) -> [UInt8] {
  var random = Philox(seed: 0, stream: Philox.Stream(identifier: 1 << 16), sample: index)
  var bytes = original
  for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty { damage(&bytes, &random) }
  return bytes
}

/// One kind of damage: a flipped bit, a cut, a splice, an extreme length.
func damage(_ bytes: inout [UInt8], _ random: inout Philox) {
  // Half of the places are where structure is: at the beginning and at the end.
  let count = bytes.count
  let place =
    switch Int.random(in: 0..<4, using: &random) {
    case 0: Int.random(in: 0..<min(count, 2048), using: &random)
    case 1: count - 1 - Int.random(in: 0..<min(count, 1024), using: &random)
    default: Int.random(in: 0..<count, using: &random)
    }
  switch Int.random(in: 0..<8, using: &random) {
  case 0, 1:
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      bytes[min(count - 1, place + Int.random(in: 0..<16, using: &random))] ^=
        1 << UInt8.random(in: 0..<8, using: &random)
    }
  case 2: bytes[place] = UInt8.random(in: 0...255, using: &random)
  case 3: bytes.removeLast(count - place)
  case 4:
    let length = min(Int.random(in: 1...64, using: &random), count - place)
    let source = Int.random(in: 0...count - length, using: &random)
    for offset in 0..<length { bytes[place + offset] = bytes[source + offset] }
  case 5:
    if Bool.random(using: &random) {
      bytes.removeSubrange(place..<min(count, place + Int.random(in: 1...16, using: &random)))
    } else {
      bytes.insert(contentsOf: bytes[place..<min(count, place + 16)], at: place)
    }
  default:
    let extremes: [UInt64] = [
      0, 1, .max, .max >> 1, 1 << 63, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x8000_0000, 1 << 32, 1 << 40, 0xFFFF_FFFE,
      UInt64(count), UInt64(count - 1), UInt64(count) << 8, 0x0001_0000, 0xFFFF,
    ]
    let value = extremes[Int.random(in: 0..<extremes.count, using: &random)]
    let size = [2, 4, 8][Int.random(in: 0..<3, using: &random)]
    let isBig = Int.random(in: 0..<8, using: &random) == 0
    let start = place - place % size
    for offset in 0..<size where start + offset < count {
      bytes[start + offset] = UInt8(
        truncatingIfNeeded: value >> (8 * UInt64(isBig ? size - 1 - offset : offset)))
    }
  }
}

/// Reads all fields of a file, in parts.
func readAll(_ path: String) throws {
  let dataset = try openDataset(path)
  for field in dataset.description.fields {
    for run in dataset.runs(of: field) {
      _ = try dataset.readDouble(
        field: field.name, samples: run.samples, frames: Array(run.frames), stride: 1, requiresFinite: false)
    }
  }
}

/// The exit status that a command would end with.
func status(of error: any Error) -> Int32 {
  switch error {
  case let error as DatasetError: error.exitStatus
  case let error as HDF5Error: error.exitStatus
  case let error as ArchiveError: error.exitStatus
  default: 70
  }
}

let indexFile = open("\(folder)/index", O_WRONLY | O_CREAT, 0o600)
var (read, refused) = (0, 0)
for index in first..<first + count {
  let text = "\(index) \(read) \(refused)".padding(toLength: 48, withPad: " ", startingAt: 0)
  _ = text.withCString { pwrite(indexFile, $0, 48, 0) }
  _ = FileManager.default.createFile(atPath: path, contents: Data(mutant(index)))
  alarm(20)
  do {
    try readAll(path)
    read += 1
  } catch {
    guard [65, 66].contains(status(of: error)), !"\(error)".contains("\n") else {
      print("mutant \(index) of \(arguments[1]): \(error)")
      exit(1)
    }
    refused += 1
  }
  alarm(0)
}
// getrusage's maximum counts what the process was before exec: all of the test runner.
let process = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
let peak = process.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?.split(
  whereSeparator: \.isWhitespace)
print("\(read) \(refused) \(peak?.dropFirst().first ?? "unknown")")
