// Reads bodies and queries as the reference's binder does: strict JSON, names in any letter case, unknown members
// ignored, nothing coerced. Anything else is 400 with an empty body; the host's parsers, validators and their
// settings do not apply here.
import { Socket } from 'node:net'
import { malformedBody, otherType, unknownCharset } from './input-errors.js'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'

// 16 KiB hold any request of ours; JSON deeper than 32 levels is none.
export const bodyLimit = 16 * 1024
const maxDepth = 32

/** application/json and application/*+json, whatever their parameters; everything else is 415. */
const jsonType = /^application\/\s*(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)/i
const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i

/** Replaces the parsers of a scope by one that reads JSON strictly. */
export function readJsonOnly(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(jsonType, { parseAs: 'buffer', bodyLimit }, (request, body, done) => {
    const named = charset.exec(request.headers['content-type'] ?? '')?.[1] ?? 'utf-8'
    const decode = Object.hasOwn(decoders, named.toLowerCase()) ? decoders[named.toLowerCase()] : undefined
    if (decode === undefined) {
      done(unknownCharset())
      return
    }
    try {
      done(null, parse(decode(body as Buffer))) // parseAs: 'buffer'
    } catch {
      done(malformedBody())
    }
  })
}

/**
 * Refuses a body that is not JSON before the guard authenticates the caller, as the reference does. A request without
 * a body has no type.
 */
export function expectJson(isOptional: boolean) {
  return (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void => {
    const type = request.headers['content-type']
    if (type === undefined || jsonType.test(type)) {
      done()
      return
    }
    const isReadable = /^[^;,\s]+(?:;|$)/.test(type)
    if (isEmpty(request) && (isOptional || !isReadable)) {
      request.headers = { 'content-type': undefined }
      done()
    } else if (isReadable && !isOptional) done(otherType())
    else done()
  }
}

function isEmpty({ headers, raw }: FastifyRequest): boolean {
  const length = headers['content-length']
  if (headers['transfer-encoding'] !== undefined) return false
  return length === '0' || (length === undefined && raw.httpVersionMajor === 1)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const utf16 = new TextDecoder('utf-16le', { fatal: true })
const utf16Backwards = new TextDecoder('utf-16be', { fatal: true })

// The charsets of the reference, which answers 500 to any other name. Bytes outside ASCII are refused here and become
// question marks there.
const decoders: Readonly<Record<string, (body: Buffer) => string>> = {
  'utf-8': (body) => utf8.decode(body),
  utf8: (body) => utf8.decode(body),
  'us-ascii': readAscii,
  ascii: readAscii,
  'iso-8859-1': (body) => body.toString('latin1'),
  latin1: (body) => body.toString('latin1'),
  'utf-16': (body) => utf16.decode(body),
  'utf-16le': (body) => utf16.decode(body),
  'utf-16be': (body) => utf16Backwards.decode(body),
}

function readAscii(body: Buffer): string {
  if (body.some((byte) => byte > 0x7f)) throw malformedBody()
  return body.toString('latin1')
}

function parse(text: string): unknown {
  if (text.length === 0) return undefined
  const { depth, members } = measure(text)
  if (depth > maxDepth) throw malformedBody()
  const value = JSON.parse(text) as unknown
  if (typeof value === 'object' && value !== null && members > Object.keys(value).length && !Array.isArray(value))
    repeated.set(value, membersOf(text))
  return value
}

// Bodies in which a name stands more than once, with all their members in order: JSON.parse keeps the last one only.
const repeated = new WeakMap<object, readonly Member[]>()

type Member = readonly [name: string, value: unknown]

/** The members of a body as they were sent, repeated names included. */
export function membersSent(body: object): readonly Member[] {
  return repeated.get(body) ?? Object.entries(body)
}

function membersOf(text: string): Member[] {
  const members: Member[] = []
  let depth = 0
  let start = 0
  visitMarks(text, (mark, index) => {
    const isEnd = depth === 1 && (mark === ',' || mark === '}')
    if (isEnd) members.push(...(Object.entries(JSON.parse(`{${text.slice(start, index)}}`) as object) as Member[]))
    if (isEnd || (depth === 0 && mark === '{')) start = index + 1
    if (mark === '{' || mark === '[') depth++
    else if (mark === '}' || mark === ']') depth--
  })
  return members
}

/** How deep a JSON text goes, and how many members its outermost object has. */
function measure(text: string): { depth: number; members: number } {
  let depth = 0
  let deepest = 0
  let members = 0
  visitMarks(text, (mark) => {
    if (mark === '{' || mark === '[') deepest = Math.max(deepest, ++depth)
    else if (mark === '}' || mark === ']') depth--
    else if (mark === ':' && depth === 1) members++
  })
  return { depth: deepest, members }
}

/** Visits the marks of JSON's structure, `{ } [ ] : ,`, outside of its strings. */
function visitMarks(text: string, visit: (mark: string, index: number) => void): void {
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i)
    if (inString) {
      if (character === '\\') i++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if ('{}[]:,'.includes(character)) visit(character, i)
  }
}

// Node's own limit of a request (`requestTimeout`, 5 minutes) ends with `server.close()`, so that a client which sends a byte now and then
// would hold `app.close()` for as long as it likes.

/** A body of ours has at most 16 KiB: a line of 5 kbit/s is fast enough. */
export const bodySeconds = 30

/** Ends requests of a scope whose body has not arrived in time: 408 when nothing was answered yet (RFC 9110 §15.5.9). */
export function boundBodies(scope: FastifyInstance): void {
  scope.addHook('onRequest', function bodyTimeout({ raw }, reply, done) {
    const { 'content-length': length, 'transfer-encoding': encoding } = raw.headers
    const { socket } = raw
    // An injected request has no socket, and a stream of HTTP/2 ends with its session.
    if ((length === undefined || length === '0') && encoding === undefined) done()
    else if (!(socket instanceof Socket) || raw.httpVersionMajor > 1) done()
    else {
      // Not cleared by an answer: one that came before the body leaves the rest of it to come.
      const timer = setTimeout(() => {
        if (raw.complete) return
        if (!reply.raw.headersSent)
          socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
        socket.destroySoon()
      }, bodySeconds * 1000)
      timer.unref()
      // A connection carries many requests: each takes its listener away with it.
      const clear = () => {
        clearTimeout(timer)
        socket.off('close', clear)
      }
      raw.once('end', clear)
      socket.once('close', clear)
      done()
    }
  })
}
