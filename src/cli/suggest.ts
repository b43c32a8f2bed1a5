// "Did you mean": the name nearest to what was typed.

/**
 * @returns the candidate that differs from `typed` in the fewest letters, in whatever order its words come; null when none is near: more than
 *   a third of the letters are wrong
 */
export function nearest(typed: string, candidates: readonly string[]): string | null {
  const wanted = inOrder(typed)
  const [best] = candidates
    .map((name) => ({ name, distance: editDistance(wanted, inOrder(name)) }))
    .sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= Math.max(1, Math.floor(best.name.length / 3)) ? best.name : null
}

function inOrder(name: string): string {
  return name.toLowerCase().split(/\s+/).sort().join(' ')
}

/** Optimal string alignment: letters inserted, deleted, replaced, or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1
      const isSwapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + cost,
        isSwapped ? (before[column - 2] ?? 0) + 1 : Infinity,
      )
    }
    before = last
    last = current
  }
  return last[b.length] ?? 0
}
