// The source of the current time. Everything that expires takes the time from here, as an argument.

/** Milliseconds since the Unix epoch; `Date.now` unless a test or a host sets its own. */
export type Clock = () => number

/** Whole seconds since the Unix epoch, as tickets and codes carry them. */
export function secondsOf(clock: Clock): number {
  return Math.floor(clock() / 1000)
}
