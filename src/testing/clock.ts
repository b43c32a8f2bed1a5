// A clock for option `clock`: it stands still until it is moved.

/** Milliseconds since the epoch. */
export interface TestClock {
  (): number
  /** Moves it on, or back where `seconds` is negative. */
  advance(seconds: number): void
}

/** @param start milliseconds since the epoch; default: the whole second that it is now */
export function createClock(start = Math.floor(Date.now() / 1000) * 1000): TestClock {
  let now = start
  return Object.assign(() => now, {
    advance(seconds: number) {
      now += seconds * 1000
    },
  })
}
