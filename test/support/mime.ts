// Reads a mail as our own sender writes it: one level of multipart/alternative, quoted-printable, base64 or plain (RFC
// 2045, 2046). No more.

export interface Mime {
  /** Names in lower case, folded lines joined; of a name that comes twice, both values. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly subject: string
  readonly text: string
  readonly html: string
}

export function readMime(raw: string): Mime {
  const { headers, body } = split(raw)
  const boundary = /boundary="?([^";]+)"?/.exec(headers.get('content-type')?.[0] ?? '')?.[1]
  const parts =
    boundary === undefined
      ? [raw]
      : `\r\n${body}`
          .split(`\r\n--${boundary}`)
          .slice(1, -1)
          .map((part) => part.replace(/^\r\n/, ''))
  return {
    headers,
    subject: headers.get('subject')?.[0] ?? '',
    text: contentOf(parts, 'text/plain'),
    html: contentOf(parts, 'text/html'),
  }
}

function contentOf(parts: readonly string[], type: string): string {
  for (const part of parts) {
    const { headers, body } = split(part)
    if (headers.get('content-type')?.[0]?.startsWith(type) === true)
      return decoded(body, headers.get('content-transfer-encoding')?.[0] ?? '7bit')
  }
  return ''
}

function decoded(body: string, encoding: string): string {
  const crlf =
    encoding === 'base64'
      ? Buffer.from(body, 'base64').toString('utf8')
      : encoding === 'quoted-printable'
        ? unquoted(body)
        : body
  return crlf.replaceAll('\r\n', '\n')
}

function unquoted(body: string): string {
  const bytes = body
    .replaceAll('=\r\n', '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

function split(raw: string): { headers: Map<string, string[]>; body: string } {
  const end = raw.indexOf('\r\n\r\n')
  const headers = new Map<string, string[]>()
  for (const line of raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()])
  }
  return { headers, body: raw.slice(end + 4) }
}
