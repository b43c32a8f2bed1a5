// Texts of statements that were made once, see prepared.ts, and the names by which connections may know them.
import type { CompiledQuery } from 'kysely'

interface Text {
  readonly text: string
  /** By position: a value that never changes, or where to find it. */
  readonly places: readonly unknown[]
}

/** The texts of one connection, which carry its schema. */
export class Texts {
  readonly #written = new Map<unknown, Text>()
  readonly #names = new Map<string, string>()

  /** @param writer who writes it; a label that two of them share means two texts */
  of(writer: unknown, label: string, compile: () => CompiledQuery): Text {
    const known = this.#written.get(writer)
    if (known !== undefined) return known
    const { sql: written, parameters: places } = compile()
    const text = written.trim()
    this.#written.set(writer, { text, places })
    this.#names.set(text, `identity ${label} ${fingerprint(text)}`)
    return { text, places }
  }

  /** The name by which a connection may know this text. */
  nameOf(text: string): string | undefined {
    return this.#names.get(text)
  }
}

/**
 * FNV-1a, 64 bits. Behind a pooler two releases or two realms may meet on one connection, and a name must not mean two statements there;
 * nobody but this package writes them.
 */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  return hash.toString(16).padStart(16, '0')
}
