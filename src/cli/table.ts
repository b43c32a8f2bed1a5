// The result of a command as text. Names, addresses and clients were typed by strangers: none of them reaches a
// terminal as an escape sequence.

/** Rows under headings, in columns; the last column is not padded. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings.map((heading) => heading.toUpperCase()), ...rows].map((row) => row.map(printable))
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Names and values, one per line. */
export function list(members: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...members.map(([name]) => name.length))
  return members.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`.trimEnd()).join('\n')
}

/** Without control characters, and without those that change the direction of text or are invisible. */
export function printable(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�')
}

/** One line of JSON; characters that a terminal could interpret are escaped. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    Array.from(
      { length: found.length },
      (_, index) => `\\u${found.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
}

/** A time, to the second. */
export function when(time: Date | number | null): string {
  return time === null ? '-' : new Date(time).toISOString().replace('T', ' ').slice(0, 19)
}
