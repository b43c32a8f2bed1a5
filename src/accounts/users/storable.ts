// The texts that a column can hold; others would be an error of the database, or two texts that become one.

/** Whether a text can be stored as it is: no NUL, no half of a surrogate pair, at most `maxLength` UTF-16 units. */
export function isStorable(text: string, maxLength: number): boolean {
  return text.length <= maxLength && !text.includes('\0') && text.isWellFormed()
}

/** Whether a value can be stored as jsonb: each text in it can be stored, names of members too. */
export function isStorableJson(value: unknown): boolean {
  if (typeof value === 'string') return isStorable(value, Infinity)
  return typeof value !== 'object' || value === null || Object.entries(value).flat().every(isStorableJson)
}
