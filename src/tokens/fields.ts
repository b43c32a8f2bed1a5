// The fixed-width fields of sealed payloads: UUIDs in 16 bytes, whole seconds in 5 (until the year 36812), marks of stamps in 8.
// Writers throw TypeError on what has no such form, naming the field and never its content.

export const uuidLength = 16
export const secondsLength = 5
export const markLength = 8

/** How far ahead of ours the clock of the instance that issued something may be, in seconds. */
export const clockSkewSeconds = 60

const maxSeconds = 2 ** 40 - 1
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function writeUuid(bytes: Buffer, at: number, uuid: string, field: string): void {
  if (!uuidPattern.test(uuid)) throw new TypeError(`${field} is not a UUID`)
  bytes.write(uuid.replaceAll('-', ''), at, 'hex')
}

/** Canonical text: lower case, with hyphens (RFC 9562 §4). */
export function uuidText(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + uuidLength)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

export function writeSeconds(bytes: Buffer, at: number, seconds: number, field: string): void {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > maxSeconds) throw new TypeError(`${field} is not a time in whole seconds`)
  bytes.writeUIntBE(seconds, at, secondsLength)
}

export function readSeconds(bytes: Buffer, at: number): number {
  return bytes.readUIntBE(at, secondsLength)
}

export function writeMark(bytes: Buffer, at: number, mark: string, field: string): void {
  const decoded = Buffer.from(mark, 'base64url')
  if (decoded.length !== markLength || decoded.toString('base64url') !== mark) throw new TypeError(`${field} is not the mark of a stamp`)
  bytes.set(decoded, at)
}

export function markText(bytes: Buffer, at: number): string {
  return bytes.toString('base64url', at, at + markLength)
}
