// The ids of users, roles and sessions are UUIDs.
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a text may be looked up as an id; anything else would be an error of the database. */
export function isUuid(text: string): boolean {
  return uuid.test(text)
}
