import Autodiff
import Tensors

/// A model whose convolutions, all or some, have become XD-operations: `backbone.convertConvolutions`.
///
/// For one grid only: the sizes of the K-matrices are those of the grids on which the convolutions work.
public enum XDModel {
  /// What determines such a model but for its weights and matrices.
  public struct Configuration: Codable, Sendable, Equatable {
    /// The model with its convolutions.
    public var backbone: ModelConfiguration
    /// The grid of the input.
    public var grid: Shape
    /// How convolutions become XD-operations.
    public var conversion: XDConfiguration
    /// The paths of the convolutions that do; nil for all.
    public var convolutions: [String]?

    /// A model on a grid.
    public init(
      backbone: ModelConfiguration, grid: Shape, conversion: XDConfiguration = XDConfiguration(),
      convolutions: [String]? = nil
    ) {
      self.backbone = backbone
      self.grid = grid
      self.conversion = conversion
      self.convolutions = convolutions
    }

    /// Why no model has this configuration, or nil if one has.
    public var problem: String? {
      if let problem = backbone.problem(grid: grid) ?? conversion.problem { return problem }
      let names = backbone.makeModel(seed: 0).convertibleLayers.map(\.name)
      if names.isEmpty { return "the backbone has no convolution" }
      let unknown = (convolutions ?? names).filter { !names.contains($0) }
      return unknown.isEmpty
        ? nil
        : "no convolution is called \(unknown.joined(separator: ", ")); there are "
          + names.joined(separator: ", ")
    }

    /// Why this model cannot be applied to fields on `grid`, or nil if it can.
    public func problem(grid: Shape) -> String? {
      grid == self.grid
        ? backbone.problem(grid: grid)
        : "the K-matrices of an XD model fit the grid that it was trained on, \(self.grid), and no other, "
          + "such as \(grid)"
    }

    /// The backbone with fresh weights, converted.
    func makeModel(seed: UInt64) -> any Module {
      let model = backbone.makeModel(seed: seed)
      do {
        try model.convertConvolutions(
          conversion, channels: backbone.inputChannels, grid: grid, named: convolutions)
      } catch { preconditionFailure("\(error)") }
      return model
    }
  }
}
