// A file of its own, so that a host's `declare module 'fastify-identity'` can add to it.

/**
 * What option `profile` describes, as `user.profile` holds it. Tell TypeScript with
 *
 *     declare module 'fastify-identity' { interface Profile { nickname?: string } }
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- hosts merge their fields into it
export interface Profile extends Record<string, unknown> {}
