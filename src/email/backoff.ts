// When a mail that could not be delivered is tried again: after 1 s, then twice as long each time, from the eleventh failure on every 15
// minutes, until the mail is too old. Counted instead, eight attempts would be used up by two minutes without a mail server; by age, no outage
// shorter than a day loses a mail. Pure arithmetic: the outbox keeps the rows, dead ones too.

/** Age in seconds from which a mail that cannot be delivered is given up: one day. A code that lives shorter may pass its own lifetime. */
export const defaultMaxAgeSeconds = 86_400

const longestDelaySeconds = 900

/**
 * Seconds until the next attempt, or null when the mail is dead.
 * @param attempts how often delivery has failed so far, the failure just seen included; 1 or more
 * @param ageSeconds time since the mail was written
 * @param maxAgeSeconds default one day; a mail of exactly this age is dead
 */
export function nextAttemptSeconds(
  attempts: number,
  ageSeconds: number,
  maxAgeSeconds = defaultMaxAgeSeconds,
): number | null {
  if (ageSeconds >= maxAgeSeconds) return null
  return Math.min(2 ** Math.max(0, attempts - 1), longestDelaySeconds)
}
