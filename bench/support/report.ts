// The result of a bench as text: tables of figures, and its targets beside the measurements.

/** One line of the issue's targets. */
export interface Finding {
  readonly what: string
  readonly target: string
  readonly measured: string
  /** Null: said for comparison, no target. */
  readonly isMet: boolean | null
}

export interface Bar {
  readonly name: string
  readonly value: number
  readonly isOurs: boolean
}

/** A group of bars for the chart. */
export interface Chart {
  readonly title: string
  readonly unit: string
  readonly bars: readonly Bar[]
}

export interface Report {
  readonly title: string
  /** The first row is the head. */
  readonly table: readonly (readonly string[])[]
  readonly findings: readonly Finding[]
  readonly charts?: readonly Chart[]
}

/** Columns under each other; the first to the left, figures to the right. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
}

/** A table of Markdown. */
export function targets(findings: readonly Finding[]): string {
  const rows = findings.map(({ what, target, measured, isMet }) => [
    what,
    target,
    measured,
    isMet === null ? '' : isMet ? 'met' : 'not met',
  ])
  return ['| what | target | measured | |', '|---|---|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join(
    '\n',
  )
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The median, and between which values the rounds lay. */
export function spread(values: readonly number[], digits: number, unit = ''): string {
  const [least, most] = [Math.min(...values).toFixed(digits), Math.max(...values).toFixed(digits)]
  return `${median(values).toFixed(digits)}${unit}${values.length > 1 ? ` (${least} to ${most})` : ''}`
}
