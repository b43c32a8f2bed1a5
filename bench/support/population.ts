// How many rows there are once as many go as come: the life of sessions minute by minute, at a ten-thousandth of the
// rate. The same figures by arithmetic (Little's law: number = rate × time of stay) stand beside what is simulated.

export interface Habits {
  readonly loginsPerMinute: number
  /** Sessions that somebody logs out of, and after how many minutes on average; the others lie until their absolute end. */
  readonly logoutShare: number
  readonly logoutMinutes: number
  /** How many hours a session is used, on average; each begun hour of an access token costs a refresh. */
  readonly usedHours: number
  readonly absoluteMinutes: number
  /** How long the note of an ended session is kept. */
  readonly noteMinutes: number
  /** How long the row of a name that signed in is kept. */
  readonly attemptMinutes: number
}

export interface Population {
  readonly sessions: number
  readonly revocations: number
  readonly attempts: number
  readonly refreshesPerSecond: number
}

export function expected(habits: Habits): Population {
  const { loginsPerMinute: rate, logoutShare } = habits
  const stay = logoutShare * habits.logoutMinutes + (1 - logoutShare) * habits.absoluteMinutes
  // An exponential time of use in whole hours: 1 / (e^(1/mean) − 1) are full.
  const refreshes = (mean: number) => 1 / (Math.exp(1 / mean) - 1)
  const perSession =
    logoutShare * refreshes(habits.logoutMinutes / 60) + (1 - logoutShare) * refreshes(habits.usedHours)
  return {
    sessions: rate * stay,
    revocations: rate * logoutShare * habits.noteMinutes,
    attempts: rate * habits.attemptMinutes,
    refreshesPerSecond: (rate / 60) * perSession,
  }
}

const scale = 10_000

export function simulated(habits: Habits): Population {
  const random = drawing(1)
  const perMinute = habits.loginsPerMinute / scale
  const warm = habits.absoluteMinutes + habits.noteMinutes
  const minutes = warm + 7 * 1440
  // What each minute adds and takes away.
  const change = {
    sessions: new Int32Array(minutes + 1),
    revocations: new Int32Array(minutes + 1),
    attempts: new Int32Array(minutes + 1),
  }
  let refreshes = 0
  const exponential = (mean: number) => -mean * Math.log(1 - random())
  const live = (kind: keyof typeof change, from: number, minutesOfStay: number) => {
    change[kind][Math.min(minutes, Math.floor(from))]! += 1
    change[kind][Math.min(minutes, Math.floor(from + minutesOfStay))]! -= 1
  }
  for (let time = exponential(1 / perMinute); time < minutes; time += exponential(1 / perMinute)) {
    const isLoggedOut = random() < habits.logoutShare
    const used = exponential(isLoggedOut ? habits.logoutMinutes : habits.usedHours * 60)
    const stay = isLoggedOut ? Math.min(used, habits.absoluteMinutes) : habits.absoluteMinutes
    live('sessions', time, stay)
    live('attempts', time, habits.attemptMinutes)
    if (isLoggedOut) live('revocations', time + stay, habits.noteMinutes)
    for (let at = time + 60; at < time + Math.min(used, habits.absoluteMinutes); at += 60)
      if (at >= warm && at < minutes) refreshes++
  }
  const mean = (kind: keyof typeof change) => {
    let now = 0
    let sum = 0
    for (let minute = 0; minute < minutes; minute++) {
      now += change[kind][minute]!
      if (minute >= warm) sum += now
    }
    return (sum / (minutes - warm)) * scale
  }
  return {
    sessions: mean('sessions'),
    revocations: mean('revocations'),
    attempts: mean('attempts'),
    refreshesPerSecond: (refreshes / (minutes - warm) / 60) * scale,
  }
}

/** The same draws each time, so that two runs can be compared: Mulberry32. */
function drawing(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
