// Ids are UUIDs everywhere: of users, roles and sessions.
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a text may be asked for as an id; anything else would be an error of the database. */
export function isUuid(text: string): boolean {
  return uuid.test(text)
}
