// A clock for option `clock`: it stands still until `advance`.

/** Milliseconds since the epoch. */
export interface TestClock {
  (): number
  /** Moves it forward, or back for negative `seconds`. */
  advance(seconds: number): void
}

/** @param start milliseconds since the epoch; default: the current whole second */
export function createClock(start = Math.floor(Date.now() / 1000) * 1000): TestClock {
  let now = start
  return Object.assign(() => now, {
    advance(seconds: number) {
      now += seconds * 1000
    },
  })
}
