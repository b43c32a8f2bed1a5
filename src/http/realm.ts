// One registration of the plugin, as found on an instance of Fastify by the guards, `identityRoutes` and the testing
// entry point.
import type { FastifyInstance, RegisterOptions } from 'fastify'
import type { Keys } from '../accounts/keys/key-manager.js'
import type { TicketSignIn } from '../accounts/sign-in/sign-in-manager.js'
import { type GuardContext, realmKey } from './authorize.js'

export interface Realm extends GuardContext {
  readonly keys: Keys
  readonly signIn: TicketSignIn
  /** Mounts the routes under a prefix. @param switches option `endpoints` of that prefix */
  mount(
    app: FastifyInstance,
    switches: Readonly<Record<string, boolean>> | undefined,
    asked: RegisterOptions & { readonly prefix: string },
  ): Promise<void>
}

/** The registration of this scope, or null where the plugin is not registered. */
export function findRealm(instance: FastifyInstance, decorator: string): Realm | null {
  // Fastify's types have no place for a decorator under a symbol.
  return (instance as unknown as Record<symbol, Realm | undefined>)[realmKey(decorator)] ?? null
}
