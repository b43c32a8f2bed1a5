// Many sign-ins of one name at once take no more of the database than others do, and other people notice nothing of
// them.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { password, tally } from '../support/instances.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'
import { type InstanceProcess, startProcesses } from '../support/processes.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

const email = 'alice@example.com'
const count = 200

async function place(t: TestContext, processes: number) {
  const proxy = await startTcpProxy(await databaseUrl())
  t.after(() => proxy.close())
  const schema = uniqueSchema()
  // The hasher of production: sign-ins take as long as they do there.
  const options = { database: proxy.url, schema, password: { hasher: {} }, lockout: { maxWaitSeconds: 2 } }
  const instances = await startProcesses(t, processes, options)
  const [first] = instances
  assert.ok(first)
  assert.equal((await first.call('POST', '/register', {}, { email, password })).status, 200)
  return { proxy, schema, instances, first }
}

interface Timed {
  readonly status: number
  readonly detail: string
  readonly retryAfter: string | null
  readonly milliseconds: number
}

function signInsAtOnce(instances: readonly InstanceProcess[], pass: string): Promise<Timed[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const start = performance.now()
      const answer = await instances[index % instances.length]!.call('POST', '/login', {}, { email, password: pass })
      const { detail = '' } = answer.body as { detail?: string }
      return { ...answer, detail, milliseconds: performance.now() - start }
    }),
  )
}

/** Refreshes again and again, until `isOver`; the median in milliseconds. */
async function refreshes(instance: InstanceProcess, refreshToken: string, isOver: () => boolean) {
  const taken: number[] = []
  let token = refreshToken
  do {
    const start = performance.now()
    const answer = await instance.call('POST', '/refresh', {}, { refreshToken: token })
    taken.push(performance.now() - start)
    assert.equal(answer.status, 200, answer.text)
    token = (answer.body as { refreshToken: string }).refreshToken
  } while (!isOver())
  return { token, median: taken.sort((a, b) => a - b)[taken.length >> 1]! }
}

const slowest = (answers: readonly Timed[]) => Math.round(Math.max(...answers.map(({ milliseconds }) => milliseconds)))

for (const processes of [1, 2]) {
  test(`of ${count} sign-ins of one name at once on ${processes} processes each costs three transactions at most`, async (t) => {
    const { proxy, instances, first } = await place(t, processes)
    const bob = { email: 'bob@example.com', password }
    assert.equal((await first.call('POST', '/register', {}, bob)).status, 200)
    const signedIn = await first.call('POST', '/login', {}, bob)
    let rounds = 0
    const { refreshToken } = signedIn.body as { refreshToken: string }
    const idle = await refreshes(first, refreshToken, () => ++rounds === 50)
    proxy.forget()
    let isOver = false
    const beside = refreshes(first, idle.token, () => isOver)
    const answers = await signInsAtOnce(instances, password)
    isOver = true
    const busy = await beside
    const transactions = proxy.statements.filter((text) => text.includes('"attempts"')).length
    const statuses = tally(answers.map(({ status }) => status))
    t.diagnostic(
      `${JSON.stringify(statuses)}, slowest ${slowest(answers)} ms, ${(transactions / count).toFixed(2)} transactions an answer, another person's refresh ${idle.median.toFixed(1)} ms idle, ${busy.median.toFixed(1)} ms meanwhile`,
    )
    for (const { status, retryAfter } of answers) {
      assert.ok(status === 200 || status === 503, String(status))
      if (status === 503) assert.match(String(retryAfter), /^[1-9]\d*$/)
    }
    assert.ok((statuses[200] ?? 0) > 0)
    assert.ok(transactions <= 3 * count, `${transactions} transactions for ${count} answers`)
  })

  test(`of ${count} wrong passwords of one name at once on ${processes} processes five are verified`, async (t) => {
    const { proxy, schema, instances } = await place(t, processes)
    proxy.forget()
    const answers = await signInsAtOnce(instances, 'Wrong-horse-1')
    const transactions = proxy.statements.filter((text) => text.includes('"attempts"')).length
    const client = new pg.Client(await databaseUrl())
    await client.connect()
    const { rows } = await client.query<{ failures: number }>(
      `select total_failures as failures from ${schema}.attempts`,
    )
    await client.end()
    const outcomes = tally(answers.map(({ status, detail }) => (status === 503 ? status : detail)))
    t.diagnostic(
      `${JSON.stringify(outcomes)}, slowest ${slowest(answers)} ms, ${(transactions / count).toFixed(2)} transactions an answer`,
    )
    assert.deepEqual(rows, [{ failures: 5 }])
    assert.equal(outcomes.Failed, 4)
    assert.equal((outcomes.LockedOut ?? 0) + (outcomes[503] ?? 0), count - 4)
    assert.ok((outcomes.LockedOut ?? 0) > 0)
    assert.ok(transactions <= 3 * count, `${transactions} transactions for ${count} answers`)
  })
}
