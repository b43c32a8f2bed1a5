// Runs what accounts.ts makes: node dist/main.js DATABASE_URL SCHEMA. Prints one line of JSON.
import Fastify from 'fastify'
import { createIdentityClient } from 'fastify-identity/client'
import { accounts, clerksOnly, Desk, directory, everybody, ours } from './accounts.js'

const [, , database = '', schema = ''] = process.argv
const app = Fastify()
await app.register(accounts, { database, schema })
app.get('/desk', { onRequest: clerksOnly }, (request) => request.identity?.userName)
app.get('/hello', { onRequest: everybody }, (request) => ({
  hello: request.identity?.userName ?? null,
  staff: request.staff?.userName ?? null,
}))

const people = directory(app)
const email = 'ann@example.com'
const created = await people.add(email, 'Ann')
await people.role('clerk')
await people.promote(email)
const login = await app.inject({ method: 'POST', url: '/v2/login', payload: { email, password: 'Correct-Horse-7' } })
const { accessToken } = login.json<{ accessToken: string }>()
const desk = await app.inject({ url: '/desk', headers: { authorization: `Bearer ${accessToken}` } })
const stranger = await app.inject('/desk')
const roles = await new Desk(app).roles()
const client = createIdentityClient<{ nickname?: string }>({
  baseUrl: `${await app.listen({ host: '127.0.0.1', port: 0 })}/account`,
})
await client.login({ email, password: 'Correct-Horse-7' })
console.log(
  JSON.stringify({
    created: created.succeeded,
    nickname: await people.nickname(email),
    desk: desk.body,
    stranger: stranger.statusCode,
    hello: (await app.inject('/hello')).json<unknown>(),
    roles: roles.roles.map(({ name }) => name),
    client: await client.info(),
    migrations: Object.keys(ours).length > 0,
  }),
)
await app.close()
