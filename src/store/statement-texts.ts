// The compiled texts of cached statements, see statement-cache.ts, and their names as prepared statements.
import type { CompiledQuery } from 'kysely'

interface StatementText {
  readonly text: string
  /** By position: a constant value, or the parameter to replace. */
  readonly values: readonly unknown[]
}

/** The texts for one connection; they contain its schema. */
export class StatementTexts {
  readonly #written = new Map<unknown, StatementText>()
  readonly #names = new Map<string, string>()

  /** @param writer the function that writes the text; a label shared by two functions means two texts */
  of(writer: unknown, label: string, compile: () => CompiledQuery): StatementText {
    const known = this.#written.get(writer)
    if (known !== undefined) return known
    const { sql: written, parameters: values } = compile()
    const text = written.trim()
    this.#written.set(writer, { text, values })
    this.#names.set(text, `identity ${label} ${fingerprint(text)}`)
    return { text, values }
  }

  /** The prepared statement name of this text. */
  nameOf(text: string): string | undefined {
    return this.#names.get(text)
  }
}

/**
 * FNV-1a, 64 bits. Behind a pooler two releases or two realms may share a connection, on which a name must not mean
 * two statements. All texts are from this package, so a collision cannot be provoked.
 */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  return hash.toString(16).padStart(16, '0')
}
