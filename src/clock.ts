// The source of the current time. Everything that expires takes the time from here, as an argument.

/** Milliseconds since the Unix epoch; `Date.now` unless a test or a host sets its own. */
export type Clock = () => number
