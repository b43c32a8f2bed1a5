// An example of examples/ on a database of its own, and people who speak HTTP to it.
import type { FastifyInstance, InjectOptions } from 'fastify'
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { goodPassword, type Tokens } from './app.js'
import { freshDatabase } from './postgres.js'

export interface Example {
  readonly app: FastifyInstance
  /** Sends JSON where there is some, and a token where there is one. */
  readonly call: (
    method: InjectOptions['method'],
    url: string,
    json?: object,
    token?: string,
  ) => Promise<{ status: number; body: string; json: unknown }>
  /** Registers somebody where nobody of this name is, logs in under the prefix, and answers the tokens. */
  readonly signIn: (email?: string, prefix?: string) => Promise<Tokens>
}

export async function startExample(
  t: TestContext,
  build: (database: string) => Promise<FastifyInstance>,
): Promise<Example> {
  const app = await build(await freshDatabase())
  t.after(() => app.close())

  const call: Example['call'] = async (method = 'GET', url, json, token) => {
    const answer = await app.inject({
      method,
      url,
      ...(json === undefined ? {} : { payload: json }),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    })
    const isJson = String(answer.headers['content-type']).includes('json')
    return { status: answer.statusCode, body: answer.body, json: isJson ? answer.json<unknown>() : null }
  }
  return {
    app,
    call,
    async signIn(email = 'ann@example.com', prefix = '/account') {
      await call('POST', `${prefix}/register`, { email, password: goodPassword })
      const answer = await call('POST', `${prefix}/login`, { email, password: goodPassword })
      assert.equal(answer.status, 200, answer.body)
      return answer.json as Tokens
    },
  }
}
