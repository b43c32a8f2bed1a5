// The reference answers its paths in any letter case and with a slash at the end; Fastify's router leaves that to the whole server. A request
// for a path of ours in another spelling gets the path as it is registered just before the router looks for it, as Fastify's option
// `rewriteUrl` does for a host. So the route runs once, with each hook and limit that the host has put on it. Routes of the host go first.
import type { FastifyInstance } from 'fastify'
import type { IncomingMessage } from 'node:http'
import { readRoutes } from './route-table.js'

export interface PathSpelling {
  /** For `constraints` of a route that answers only where no route of the host does. */
  readonly unlessHostAnswers: Readonly<Record<string, string>>
  /** The URL of `urls` that a path asks for, however it is spelled; null for any other path. */
  urlOf(path: string): string | null
}

/** Rewrites requests for routes of a scope; call it before they are registered. @param urls theirs, below the prefix */
export function answerAnySpelling(scope: FastifyInstance, urls: readonly string[]): PathSpelling {
  const prefix = withoutSlash(scope.prefix)
  const known = compile(prefix, urls)
  const depthOfPrefix = prefix.split('/').length
  let readOnce: HostTable | undefined
  const table = () => (readOnce ??= readTable(scope))
  const answers = (method: string | null, path: string) => table().answers(method, path)

  function rewrite(request: IncomingMessage & { originalUrl?: string }): void {
    const { url = '', method = '' } = request
    const path = pathOf(url)
    const canonical = known.find(path)?.path
    if (canonical === undefined && isBelow(prefix, path) && !table().resembles(path)) hideQuery(request)
    if (canonical === undefined || canonical === path) return
    // Two prefixes that differ in letter case alone are two mounts: the one that is spelled as asked answers.
    const near = [...path.split('/').slice(0, depthOfPrefix), ...canonical.split('/').slice(depthOfPrefix)].join('/')
    if (answers(method, path) || (near !== canonical && answers(null, near))) return
    request.originalUrl ??= url
    request.url = canonical + url.slice(path.length)
  }

  const name = freeName(scope)
  scope.addConstraintStrategy({
    name,
    storage: () => {
      const routes = new Map<unknown, Handler>()
      return { get: (value) => routes.get(value) ?? null, set: (value, route) => void routes.set(value, route) }
    },
    // The router derives constraints first, then reads the URL.
    deriveConstraint(request: IncomingMessage) {
      rewrite(request)
      if (request.method !== 'OPTIONS') return undefined
      const path = pathOf(request.url ?? '')
      return known.find(path) === null || answers('OPTIONS', path) ? undefined : 'unanswered'
    },
    mustMatchWhenDerived: false,
    validate: () => true,
  })
  return { unlessHostAnswers: { [name]: 'unanswered' }, urlOf: (path) => known.find(path)?.url ?? null }
}

function isBelow(prefix: string, path: string): boolean {
  return (
    prefix !== '' && path[prefix.length] === '/' && path.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase()
  )
}

// A path that nothing answers may be a mistyped link, with a code in its query. Fastify logs it with the serializers of the server: a not-found
// handler has none of its own. An encoded delimiter stays, so that the path matches no more than before.
function hideQuery(request: IncomingMessage & { originalUrl?: string }): void {
  const { url = '' } = request
  const shown = pathOf(url).replace(/([;&]|%3f|%23|%3b|%26).*$/is, '$1')
  if (shown === url) return
  request.originalUrl ??= url
  request.url = shown
}

// The router writes the name into code: it must be an identifier. Each mount has a strategy of its own.
function freeName(scope: FastifyInstance): string {
  let number = 0
  while (scope.hasConstraintStrategy(`identityPaths${number}`)) number++
  return `identityPaths${number}`
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}

function withoutSlash(path: string): string {
  return path.replace(/\/$/, '')
}

type Handler = Parameters<ReturnType<Parameters<FastifyInstance['addConstraintStrategy']>[0]['storage']>['set']>[1]

interface Found {
  /** As it is registered, with its parameters as they came. */
  readonly path: string
  readonly url: string
}

function compile(prefix: string, urls: readonly string[]): { find(path: string): Found | null } {
  const exact = new Map(urls.map((url) => [prefix + url, { path: prefix + url, url }]))
  const routes = urls.map((url) => ({ url, names: (prefix + url).split('/') }))
  // Most requests of a host are for none of ours: one look says so.
  const alike = new RegExp(`^(?:${urls.map((url) => patternOf(prefix + url)).join('|')})/?$`, 'i')
  return {
    find(path) {
      const found = exact.get(path)
      if (found !== undefined) return found
      const decoded = path.includes('%') ? decode(path) : path
      if (!alike.test(decoded)) return null
      const given = withoutSlash(path).split('/')
      const lower = withoutSlash(decoded).toLowerCase().split('/')
      const route = routes.find(
        ({ names }) =>
          names.length === given.length &&
          names.every((name, index) => isParameter(name) || name.toLowerCase() === lower[index]),
      )
      if (route === undefined) return null
      const parts = route.names.map((name, index) => (isParameter(name) ? given[index] : name))
      return { path: parts.join('/'), url: route.url }
    },
  }
}

function decode(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}

interface HostTable {
  /** Whether a route answers a path as it stands; with a method of null, for any method. */
  answers(method: string | null, path: string): boolean
  /** Whether a route answers a path in some spelling, also a route of another mount below this one. */
  resembles(path: string): boolean
}

// Read with the first request that asks: by then all routes are known.
function readTable(scope: FastifyInstance): HostTable {
  const routes = readRoutes(scope)
    .filter(({ constraints }) => !constraints.includes('identityPaths'))
    .map(({ method, url }) => ({ method, pattern: new RegExp(`^${patternOf(url)}$`) }))
  return {
    answers: (method, path) =>
      routes.some((route) => (method === null || route.method === method) && route.pattern.test(path)),
    resembles(path) {
      const plain = withoutSlash(decoded(path))
      return routes.some(({ pattern }) => new RegExp(pattern, 'i').test(plain))
    },
  }
}

function decoded(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}

/** A route's URL as a pattern; what a parameter takes is left open. */
function patternOf(url: string): string {
  return url
    .split('/')
    .map((part) => (isParameter(part) ? '[^/]+' : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replace('\\*', '.*')))
    .join('/')
}

function isParameter(part: string): boolean {
  return part.replaceAll('::', '').includes(':')
}
