// Tables of Markdown, and their place in a page: between a marker that names the table and an end marker. The rest of
// the page is written by hand.

export interface Table {
  readonly headings: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Text as code; empty text stays empty. */
export function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

/** A page with its tables replaced by those given. A marker that has no table, and a table without a marker, are errors. */
export function withTables(page: string, tables: Readonly<Record<string, Table>>): string {
  const left = new Set(Object.keys(tables))
  const written = page.replace(
    /(<!-- table: (\S+) .*-->\n)[^]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => {
      const table = tables[name]
      if (table === undefined) throw new Error(`There is no table ${name}`)
      left.delete(name)
      return `${start}\n${textOf(table)}\n${end}`
    },
  )
  if (left.size > 0) throw new Error(`The page has no marker for ${Array.from(left).join(', ')}`)
  return written
}

function textOf({ headings, rows }: Table): string {
  return [headings, headings.map(() => '---'), ...rows.map((row) => row.map(cell))]
    .map((row) => `| ${row.join(' | ')} |\n`)
    .join('')
}

function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|')
}
