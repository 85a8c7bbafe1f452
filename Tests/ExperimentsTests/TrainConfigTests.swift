import Experiments
import Testing

@Suite struct TrainConfigTests {
  /// A quarter of the memory is the samples', unless told otherwise.
  @Test func manySamplesStayInTheirFile() {
    let memory = 16 << 30
    #expect(!TrainConfig.Memory.auto.isStreamed(bytes: 4 << 30, memory: memory))
    #expect(TrainConfig.Memory.auto.isStreamed(bytes: (4 << 30) + 1, memory: memory))
    #expect(!TrainConfig.Memory.inMemory.isStreamed(bytes: 1 << 40, memory: memory))
    #expect(TrainConfig.Memory.streamed.isStreamed(bytes: 1, memory: memory))
  }
}
