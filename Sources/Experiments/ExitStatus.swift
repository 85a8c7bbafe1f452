import Archives
import Datasets
import Files
import HDF5
import InverseProblems
import NeuralOperators
import Solvers
import Training

/// The exit status of the command, after BSD's sysexits.
public enum ExitStatus: Int32, Sendable {
  /// Everything was done.
  case done = 0
  /// The arguments or the configuration are wrong.
  case usage = 64
  /// The content of a file is not what it must be.
  case badData = 65
  /// A file is missing or unreadable.
  case noInput = 66
  /// A defect of the tool.
  case defect = 70
  /// An output exists already or cannot be created.
  case cannotCreate = 73
  /// Writing failed.
  case inputOutput = 74
  /// Stopped by SIGINT.
  case interrupted = 130
  /// Stopped by SIGTERM.
  case terminated = 143
}

/// How a command that failed ends: with a message of one or two lines and an exit status.
public struct Failure: Sendable, Equatable {
  /// The exit status.
  public let status: ExitStatus
  /// What, where, and what to do.
  public let message: String

  /// Classifies an error of any of the libraries; one that is not known is a defect of the tool.
  public init(_ error: any Error) {
    switch error {
    case let error as ConfigError: self.init(.usage, error.description)
    case let error as InputError: self.init(.noInput, error.description)
    case let error as OutputError:
      self.init(error.kind == .writeFailed ? .inputOutput : .cannotCreate, error.description)
    case let error as FileError:
      self.init(error.kind == .writeFailed ? .inputOutput : .cannotCreate, error.description)
    case let error as HDF5Error:
      self.init(ExitStatus(rawValue: error.exitStatus) ?? .defect, error.description)
    case let error as ArchiveError:
      self.init(ExitStatus(rawValue: error.exitStatus) ?? .defect, error.description)
    case let error as DatasetError:
      self.init(ExitStatus(rawValue: error.exitStatus) ?? .defect, error.description)
    case let error as SolverError:
      switch error {
      case .invalidProblem, .underResolved: self.init(.usage, error.description)
      case .blowUp, .noConvergence: self.init(.badData, error.description)
      }
    case let error as TrainingError:
      self.init(ExitStatus(rawValue: error.exitStatus) ?? .defect, error.description)
    case let error as WeightLayoutError: self.init(.usage, error.description)
    case let error as ChainCheckpoint.Failure: self.init(.badData, error.description)
    case let error as SamplingError: self.init(.badData, error.description)
    case let error as ObservationError: self.init(.badData, error.description)
    case let error as ReportError: self.init(.badData, error.description)
    case let error as BenchStage.UnknownCase: self.init(.usage, error.description)
    case let error as ReproduceStage.FailedRows: self.init(.badData, error.description)
    case is CancellationError:
      self.init(Interruption.exitStatus, "stopped on request")
    default:
      self.init(
        .defect,
        "\(String(describing: error).firstLine)\nThis is a defect of the tool: please report it with the output of 'phalarope doctor'."
      )
    }
  }

  private init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }
}
