// Draws groups of bars as an SVG that is readable on light and dark pages. Lengths are logarithmic: a ticket cache
// and a database differ by three orders of magnitude.
import type { Chart } from './report.js'

const width = 760
const nameWidth = 290
const barWidth = width - nameWidth - 90
const rowHeight = 24

/** @param machine where and when it was measured */
export function chart(charts: readonly Chart[], machine: string): string {
  const groups: string[] = []
  let y = 10
  for (const one of charts) {
    groups.push(group(one, y))
    y += 34 + one.bars.length * rowHeight + 16
  }
  const height = y + 18
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(charts.map(({ title }) => title).join('; '))}">
<style>
  text { font: 13px system-ui, sans-serif; fill: #57606a }
  .title { font-weight: 600; font-size: 14px }
  .ours { fill: #2da44e } .others { fill: #8c959f }
  .ours-name { font-weight: 600 }
  @media (prefers-color-scheme: dark) { text { fill: #adbac7 } .others { fill: #768390 } .ours { fill: #46c267 } }
</style>
${groups.join('\n')}
<text x="0" y="${height - 6}" font-size="11">${escaped(`Logarithmic. ${machine}`)}</text>
</svg>
`
}

function group({ title, unit, bars }: Chart, top: number): string {
  const most = Math.max(...bars.map(({ value }) => value))
  // A bar of nothing still shows that it is there.
  const length = (value: number) =>
    Math.max(2, Math.round((barWidth * Math.log10(1 + Math.max(0, value))) / Math.log10(1 + most)))
  const rows = bars.map(({ name, value, isOurs }, index) => {
    const y = top + 34 + index * rowHeight
    const bar = length(value)
    return (
      `<text x="${nameWidth - 10}" y="${y + 13}" text-anchor="end"${isOurs ? ' class="ours-name"' : ''}>${escaped(name)}</text>` +
      `<rect class="${isOurs ? 'ours' : 'others'}" x="${nameWidth}" y="${y}" width="${bar}" height="17" rx="3"/>` +
      `<text x="${nameWidth + bar + 7}" y="${y + 13}">${escaped(`${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${unit}`)}</text>`
    )
  })
  return `<text class="title" x="0" y="${top + 16}">${escaped(title)}</text>\n${rows.join('\n')}`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
