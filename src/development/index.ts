// The entry point `fastify-identity/development`: a Postgres without installing one.
export { type Postgres, type PostgresOptions, startPostgres } from './postgres.js'
