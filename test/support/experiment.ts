// What a fault experiment reports: its figures, on the line that `npm run faults` prints for it. An experiment is a
// test in test/faults/ or test/attacks/; its title says what holds.
import type { TestContext } from 'node:test'

/** `npm run faults -- --long`: as many rounds as a figure needs. Otherwise as few as show that it holds. */
export const isLong = process.env.FAULTS_LONG === '1'

/** @param figures values by their names, the unit in the name: `{ 'acknowledged changes': 5899, 'lost': 0 }` */
export function report(t: TestContext, figures: Readonly<Record<string, number | string>>): void {
  t.diagnostic(
    Object.entries(figures)
      .map(([name, value]) => `${name} ${typeof value === 'number' ? value.toLocaleString('en-US') : value}`)
      .join(', '),
  )
}
