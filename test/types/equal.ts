// Two type assertions, for the compiler alone: tsc fails where one does not hold, and nothing of them runs.

/** Whether two types are the same: optional, readonly and `any` count. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** An error at compile time for anything but `true`. */
export type Expect<T extends true> = T
