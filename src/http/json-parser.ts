// Reads bodies and queries as the reference's binder does: strict JSON, names in any letter case, unknown members ignored, nothing
// coerced. What it refuses is 400 with an empty body; the host's parsers, validators and their settings have no say here.
import createError from '@fastify/error'
import type { FastifyInstance } from 'fastify'

export const Malformed = createError('FST_ERR_CTP_IDENTITY_MALFORMED', 'The body is not well-formed JSON', 400)
const UnsupportedCharset = createError('FST_ERR_CTP_IDENTITY_CHARSET', 'The body is not UTF-8', 415)

// 16 KiB hold any request of ours; JSON deeper than 32 levels is none.
export const bodyLimit = 16 * 1024
const maxDepth = 32

/** application/json and application/*+json, whatever their parameters; everything else is 415. */
const jsonType = /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)/i
const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i

/** Replaces the parsers of a scope by one that reads JSON strictly. */
export function readJsonOnly(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(jsonType, { parseAs: 'buffer', bodyLimit }, (request, body, done) => {
    const named = charset.exec(request.headers['content-type'] ?? '')?.[1]
    if (named !== undefined && !/^utf-?8$/i.test(named)) {
      done(new UnsupportedCharset())
      return
    }
    try {
      done(null, parse(body as Buffer)) // parseAs: 'buffer'
    } catch {
      done(new Malformed())
    }
  })
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parse(body: Buffer): unknown {
  if (body.length === 0) return undefined
  const text = utf8.decode(body)
  if (depthOf(text) > maxDepth) throw new Malformed()
  return JSON.parse(text) as unknown
}

function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i)
    if (inString) {
      if (character === 0x5c) i++
      else if (character === 0x22) inString = false
      continue
    }
    if (character === 0x22) inString = true
    else if (character === 0x5b || character === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (character === 0x5d || character === 0x7d) depth--
  }
  return deepest
}
