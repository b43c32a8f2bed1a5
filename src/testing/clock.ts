// A clock for option `clock`: it stands still until `advance`.

/** Milliseconds since the epoch. */
export interface TestClock {
  (): number
  /** Moves it forward, or back for negative `seconds`. */
  advance(seconds: number): void
}

/**
 * Makes a clock for option `clock` that stands still until `advance`.
 *
 * @param start milliseconds since the epoch; default: the current whole second
 * @example const clock = createClock(); await app.register(identity, { clock }); clock.advance(3600)
 */
export function createClock(start = Math.floor(Date.now() / 1000) * 1000): TestClock {
  let now = start
  return Object.assign(() => now, {
    advance(seconds: number) {
      now += seconds * 1000
    },
  })
}
