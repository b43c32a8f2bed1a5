// CBOR as an authenticator writes it (RFC 8949, CTAP2 §8): integers, texts, bytes and maps with a length in front. It encodes only.

export type Cbor = number | string | Uint8Array | ReadonlyMap<number | string, Cbor>

const majors = { unsigned: 0, negative: 1, bytes: 2, text: 3, map: 5 } as const

/** Keys stay in the order of the map: the caller knows the canonical one. @throws RangeError for a number of more than 32 bits */
export function encodeCbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? head(majors.negative, -1 - value) : head(majors.unsigned, value)
  if (typeof value === 'string') {
    const text = Buffer.from(value)
    return Buffer.concat([head(majors.text, text.length), text])
  }
  if (value instanceof Uint8Array) return Buffer.concat([head(majors.bytes, value.length), value])
  const members = [...value].flatMap(([key, member]) => [encodeCbor(key), encodeCbor(member)])
  return Buffer.concat([head(majors.map, value.size), ...members])
}

/** The major type in three bits, and a number in as few bytes as it needs (RFC 8949 §3). */
function head(major: number, number: number): Buffer {
  const type = major << 5
  if (number < 24) return Buffer.of(type | number)
  if (number < 0x100) return Buffer.of(type | 24, number)
  const isShort = number < 0x10000
  const bytes = Buffer.alloc(isShort ? 3 : 5)
  bytes.writeUInt8(type | (isShort ? 25 : 26))
  bytes.writeUIntBE(number, 1, isShort ? 2 : 4)
  return bytes
}
