// Blanks and line breaks come into tokens and codes when they are pasted or wrapped by a mail program. The reference's base64 decoder skips them.

const blanks = /[ \t\r\n]+/g

/** A token or code without blanks and line breaks, wherever they stand. */
export function withoutBlanks(text: string): string {
  return text.replace(blanks, '')
}
