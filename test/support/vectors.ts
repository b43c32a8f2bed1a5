// Known answers from test/vectors. The caller declares the type, since each file is ours and fixed.
import { readFileSync } from 'node:fs'

export function vectors(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../../test/vectors/${file}`, import.meta.url), 'utf8'))
}
