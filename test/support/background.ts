// The statements that an instance sends by its clock, however many requests there are: a test that counts those of a
// request leaves them out.

/** The key ring, read every two seconds. */
export const isOfTheRing = (text: string) => /from .*"keys"/.test(text)

/** The feed's poll, twice a second. */
export const isOfTheFeed = (text: string) => /^\s*select string_agg\(session_id/.test(text)

const others = [
  // The feed asks for the oldest transaction before each poll.
  /pg_stat_activity/,
  // Sessions whose rows were deleted by SQL, twice a minute.
  /^\s*select given\.id from unnest\(/,
  // The tidying, once a minute.
  /delete from .* = any\(array\(/,
  /^\s*select expires_at::text .*"attempts"/s,
]

export const isBackground = (text: string) =>
  isOfTheRing(text) || isOfTheFeed(text) || others.some((one) => one.test(text))
