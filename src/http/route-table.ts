// The routes of an application and their guards, even those registered before the plugin and those guarded by a hook
// of their scope. Fastify exposes them by printRoutes() only, whose tree is parsed here.
import type { FastifyInstance, RouteOptions } from 'fastify'

export interface RouteEntry {
  readonly method: string
  readonly url: string
  /** As the router prints them, for example `{"host":"a.example"}`; empty where there are none. */
  readonly constraints: string
  /** Names of the functions that run before the handler. */
  readonly hooks: readonly string[]
}

/** A route of the host's, added after the plugin was registered. */
export interface AddedRoute {
  readonly route: RouteOptions
  /** Whether one of our routes was added before it. */
  readonly isAfterOurs: boolean
  /** Whether its schemas, or those of its scope, are compiled by something else than Fastify. */
  readonly hasOwnCompiler: boolean
}

export interface Routes {
  readonly added: readonly AddedRoute[]
  /** All routes, once the application is ready. */
  table(): readonly RouteEntry[]
}

/** Collects the routes of the application from now on. */
export function collectRoutes(instance: FastifyInstance): Routes {
  const added: AddedRoute[] = []
  let isAfterOurs = false
  let table: readonly RouteEntry[] | undefined
  instance.addHook('onRoute', function (route) {
    const compiler =
      this.validatorCompiler ?? this.serializerCompiler ?? route.validatorCompiler ?? route.serializerCompiler
    if (route.config?.identity !== 'own') added.push({ route, isAfterOurs, hasOwnCompiler: compiler !== undefined })
    else isAfterOurs = true
  })
  return { added, table: () => (table ??= readRoutes(instance)) }
}

/**
 * All routes of the application, once it is ready. Parameters that share a position are listed with all their names:
 * `/users/:id|:user`. The tree is printed letter by letter, as the router keeps it: grouped by whole paths it drops
 * wildcards that resemble each other.
 */
export function readRoutes(instance: FastifyInstance): RouteEntry[] {
  const entries: { method: string; url: string; constraints: string; hooks: string[] }[] = []
  // The path of each level of the tree; four characters of the drawing are one level.
  const paths: string[] = []
  let current: typeof entries = []
  for (const line of instance.printRoutes({ includeHooks: true }).split('\n')) {
    const drawing = /^(?:│ {3}|├── |└── | {4})*/.exec(line)?.[0] ?? ''
    const text = line.slice(drawing.length)
    if (text === '') continue
    const hooks = /^• \((onRequest|preParsing|preValidation|preHandler)\) (\[.*\])$/.exec(text)
    if (hooks !== null) {
      const names = JSON.parse(hooks[2] ?? '[]') as string[] // printRoutes writes a JSON list of names
      for (const entry of current) entry.hooks.push(...names.map((name) => name.replace(/\(\)$/, '')))
      continue
    }
    if (text.startsWith('•')) continue
    const [, part = text, methods, constraints = ''] = /^(.*?)(?: \(([A-Z, -]+)\))?(?: (\{.*\}))?$/.exec(text) ?? []
    const level = drawing.length / 4
    paths.length = level
    paths[level] = part === '(empty root node)' ? '' : part
    current = (methods ?? '')
      .split(', ')
      .filter((method) => method !== '')
      .map((method) => ({ method, url: paths.slice(1).join(''), constraints, hooks: [] }))
    entries.push(...current)
  }
  return entries
}

/** The key of a route, the same for the registered `url` and for that in the tree. */
export function routeKey(method: string, url: string): string {
  return `${method} ${url.replaceAll('::', ':').replace(/:\w+(?:\|:\w+)*/g, ':')}`
}
