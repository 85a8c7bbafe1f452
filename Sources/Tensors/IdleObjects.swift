import Synchronization

/// Objects that nobody uses, for the next one who needs one: they have their memory.
///
/// An object is in here or with one user, never with both: no two threads see it at once.
package final class IdleObjects<Object>: Sendable {
  @usableFromInline
  package struct Kept: @unchecked Sendable {
    @usableFromInline let object: Object

    @usableFromInline
    init(object: Object) { self.object = object }
  }

  @usableFromInline let objects = Mutex<[Kept]>([])

  /// None.
  package init() {}

  /// An idle object, or a new one.
  @inlinable
  package func take(orMake make: () throws -> Object) rethrows -> Object {
    try objects.withLock { $0.popLast() }?.object ?? make()
  }

  /// Keeps an object for the next user.
  @inlinable
  package func putBack(_ object: Object) {
    let kept = Kept(object: object)
    objects.withLock { $0.append(kept) }
  }

  /// Calls `body` with an empty array that has the memory of an earlier one.
  @inlinable
  package func withArray<Element, Result>(_ body: (inout [Element]) throws -> Result) rethrows -> Result
  where Object == [Element] {
    var array = take { [] }
    defer {
      array.removeAll(keepingCapacity: true)
      putBack(array)
    }
    return try body(&array)
  }
}
