// Interleaved rounds: each contender is measured once in every round, in another order each time, and compared with the
// same round's others.

export interface Settings {
  /** A Postgres that holds nothing else. */
  readonly database: string
  readonly rounds: number
  /** Of one measurement. */
  readonly seconds: number
  /** A smoke test: everything runs, nothing is worth quoting. */
  readonly isQuick: boolean
}

export interface Runner<Result> {
  readonly name: string
  run(seconds: number): Promise<Result>
}

/** The results by name, in the order of the rounds. What a warm-up measured is thrown away. */
export async function inRounds<Result>(
  runners: readonly Runner<Result>[],
  { rounds, seconds, isQuick }: Settings,
): Promise<Map<string, Result[]>> {
  const results = new Map<string, Result[]>(runners.map(({ name }) => [name, []]))
  for (const runner of runners) await runner.run(isQuick ? 1 : 4)
  for (let round = 0; round < rounds; round++) {
    const first = round % runners.length
    for (const runner of [...runners.slice(first), ...runners.slice(0, first)])
      results.get(runner.name)!.push(await runner.run(seconds))
  }
  return results
}

/** A figure of one contender beside another's, round by round. */
export function beside<Result>(
  results: Map<string, Result[]>,
  name: string,
  other: string,
  compare: (one: Result, other: Result) => number,
): number[] {
  const others = results.get(other)!
  return results.get(name)!.map((one, round) => compare(one, others[round]!))
}
