// The texts that a column can hold; others would be an error of the database, or two texts that become one.

/** Whether a text can be stored as it is: no NUL, no half of a surrogate pair, at most `maxLength` UTF-16 units. */
export function isStorable(text: string, maxLength: number): boolean {
  return text.length <= maxLength && !text.includes('\0') && text.isWellFormed()
}
