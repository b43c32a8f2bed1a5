// The retry schedule of undelivered mail: after 1 s, then twice as long each time, from the eleventh failure on every
// 15 minutes, until the mail is too old. A limit by count (eight attempts) would be reached after two minutes without
// a mail server; a limit by age loses no mail in an outage shorter than a day. Pure arithmetic: the outbox keeps the
// rows, failed ones too.

/**
 * Age in seconds at which an undelivered mail is given up: one day. A code with a shorter lifetime may expire before
 * that.
 */
export const defaultMaxAgeSeconds = 86_400

const longestDelaySeconds = 900

/**
 * Seconds until the next attempt, or null when the mail is given up.
 * @param attempts failed deliveries so far, the last one included; 1 or more
 * @param ageSeconds time since the mail was stored
 * @param maxAgeSeconds default one day; a mail of exactly this age is given up
 */
export function nextAttemptSeconds(
  attempts: number,
  ageSeconds: number,
  maxAgeSeconds = defaultMaxAgeSeconds,
): number | null {
  if (ageSeconds >= maxAgeSeconds) return null
  return Math.min(2 ** Math.max(0, attempts - 1), longestDelaySeconds)
}
