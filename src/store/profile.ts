// A file of its own, so that a host's `declare module 'fastify-identity'` can add to it.

/**
 * The fields that option `profile` describes, in `user.profile`. Declare them to TypeScript with
 *
 *     declare module 'fastify-identity' { interface Profile { nickname?: string } }
 */
export interface Profile extends Record<string, unknown> {}
