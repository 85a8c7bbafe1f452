import Synchronization

/// What operations of one kind and shape have in common, made once: the last plans that were asked for.
///
/// There are few, and to look through them takes no memory, as a dictionary's keys might.
final class PlanCache<Plan: Sendable>: Sendable {
  private static var mostPlans: Int { 64 }

  private let plans = Mutex<[Plan]>([])

  /// The plan that `fits`, or a new one.
  func plan(where fits: (Plan) -> Bool, orMake make: () -> Plan) -> Plan {
    if let found = plans.withLock({ $0.first(where: fits) }) { return found }
    let new = make()
    return plans.withLock { plans in
      // Another thread may have made one meanwhile.
      if let other = plans.first(where: fits) { return other }
      if plans.count == Self.mostPlans { plans.removeFirst() }
      plans.append(new)
      return new
    }
  }
}
