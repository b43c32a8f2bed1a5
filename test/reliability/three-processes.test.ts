// Three instances in processes of their own on one database: what one of them ends, the others refuse by polling alone.
// The time it took is printed, and asserted nowhere: a busy machine needs longer.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { decodeBase32 } from '../../src/two-factor/base32.js'
import { totpCode, totpStep } from '../../src/two-factor/totp.js'
import { type Credential, type InstanceProcess, startProcesses } from '../support/processes.js'
import { startPgbouncer, withoutPgbouncer } from '../support/pgbouncer.js'
import { databaseUrl, uniqueSchema } from '../support/postgres.js'

const password = 'Correct-horse-1'
const rounds = 3

interface Login extends Required<Pick<Credential, 'token'>> {
  readonly refreshToken: string
}

/** What is about to be ended, what must go on, and how it is ended. */
interface Scene {
  readonly doomed: readonly (Login | Required<Pick<Credential, 'cookie'>>)[]
  readonly spared: readonly Credential[]
  readonly end: () => Promise<unknown>
}

type Act = (app: InstanceProcess, email: string) => Promise<Scene>

async function signIn(app: InstanceProcess, email: string, more: object = {}): Promise<Login> {
  const answer = await app.call('POST', '/login', {}, { email, password, ...more })
  assert.equal(answer.status, 200, answer.text)
  const { accessToken, refreshToken } = answer.body as { accessToken: string; refreshToken: string }
  return { token: accessToken, refreshToken }
}

async function signInWithCookie(app: InstanceProcess, email: string): Promise<Required<Pick<Credential, 'cookie'>>> {
  const answer = await app.call('POST', '/login?useCookies=true', {}, { email, password })
  assert.equal(answer.status, 200, answer.text)
  return { cookie: answer.cookie }
}

async function done(answer: ReturnType<InstanceProcess['call']>): Promise<void> {
  const { status, text } = await answer
  assert.equal(status, 200, text)
}

const acts: Record<string, Act> = {
  async 'a logout'(app, email) {
    const [own, other] = [await signIn(app, email), await signIn(app, email)]
    return { doomed: [own], spared: [other], end: () => done(app.call('POST', '/logout', own, {})) }
  },
  async 'a logout by cookie'(app, email) {
    const [own, other] = [await signInWithCookie(app, email), await signInWithCookie(app, email)]
    return { doomed: [own], spared: [other], end: () => done(app.call('POST', '/logout', own, {})) }
  },
  async 'a logout of the others'(app, email) {
    const [own, other, cookie] = [
      await signIn(app, email),
      await signIn(app, email),
      await signInWithCookie(app, email),
    ]
    return {
      doomed: [cookie, other],
      spared: [own],
      end: () => done(app.call('POST', '/logout?scope=others', own, {})),
    }
  },
  async 'a logout of all'(app, email) {
    const [own, other] = [await signIn(app, email), await signInWithCookie(app, email)]
    return { doomed: [other, own], spared: [], end: () => done(app.call('POST', '/logout?scope=all', own, {})) }
  },
  async 'a session deleted by its owner'(app, email) {
    const other = await signInWithCookie(app, email)
    const sessions = (await app.call('GET', '/manage/sessions', other)).body as { id: string }[]
    const own = await signIn(app, email)
    return {
      doomed: [other],
      spared: [own],
      end: () => done(app.call('DELETE', `/manage/sessions/${sessions[0]!.id}`, own)),
    }
  },
  async 'a changed password'(app, email) {
    const [own, other] = [await signIn(app, email), await signIn(app, email)]
    const json = { newPassword: 'Another-horse-1', oldPassword: password }
    return {
      doomed: [other],
      spared: [{ token: own.token }],
      end: () => done(app.call('POST', '/manage/info', own, json)),
    }
  },
  async 'a password reset by mail'(app, email) {
    const doomed = [await signInWithCookie(app, email), await signIn(app, email)]
    const json = { email, resetCode: await app.order('resetCode', email), newPassword: 'Another-horse-1' }
    return { doomed, spared: [], end: () => done(app.call('POST', '/resetPassword', {}, json)) }
  },
  async 'a deleted user'(app, email) {
    return {
      doomed: [await signIn(app, email), await signInWithCookie(app, email)],
      spared: [],
      end: () => app.order('deleteUser', email),
    }
  },
  async 'a second factor that is switched off'(app, email) {
    const own = await signIn(app, email)
    const { sharedKey } = (await app.call('POST', '/manage/2fa', own, {})).body as { sharedKey: string }
    const codeOf = (step: number) => totpCode(decodeBase32(sharedKey)!, step)
    const step = totpStep(Date.now())
    await done(app.call('POST', '/manage/2fa', own, { enable: true, twoFactorCode: codeOf(step) }))
    const other = await signIn(app, email, { twoFactorCode: codeOf(step + 1) })
    return {
      doomed: [other],
      spared: [{ token: own.token }],
      end: () => done(app.call('POST', '/manage/2fa', own, { enable: false })),
    }
  },
  async 'a lock by an administrator'(app, email) {
    return {
      doomed: [await signIn(app, email), await signInWithCookie(app, email)],
      spared: [],
      end: () => app.order('lock', email),
    }
  },
  async 'a session ended by an administrator'(app, email) {
    const own = await signIn(app, email)
    const sessions = (await app.call('GET', '/manage/sessions', own)).body as { id: string }[]
    const other = await signIn(app, email)
    return { doomed: [own], spared: [other], end: () => app.order('revokeSession', sessions[0]!.id) }
  },
  async 'all sessions ended by an administrator'(app, email) {
    return {
      doomed: [await signInWithCookie(app, email), await signIn(app, email)],
      spared: [],
      end: () => app.order('revokeSessions', email),
    }
  },
}

const guarded = async (app: InstanceProcess, by: Credential) => (await app.call('GET', '/guarded', by)).status

/** Milliseconds from now until an instance refuses, asked every 20 ms. */
async function untilRefused(app: InstanceProcess, by: Credential): Promise<number> {
  const start = performance.now()
  for (;;) {
    const status = await guarded(app, by)
    if (status === 401) return performance.now() - start
    assert.equal(status, 200)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Plays one act on one instance; answers how long each of the others let the first of the doomed in. */
async function play(processes: readonly InstanceProcess[], at: number, name: string, email: string): Promise<number[]> {
  const app = processes[at]!
  await done(app.call('POST', '/register', {}, { email, password }))
  const { doomed, spared, end } = await acts[name]!(app, email)
  for (const one of processes) for (const by of [...doomed, ...spared]) assert.equal(await guarded(one, by), 200, name)
  await end()
  const others = processes.filter((one) => one !== app)
  const measuring = Promise.all(others.map((one) => untilRefused(one, doomed[0]!)))
  for (const by of doomed) {
    assert.equal(await guarded(app, by), 401, name)
    if (!('refreshToken' in by)) continue
    for (const one of processes) {
      assert.equal((await one.call('POST', '/refresh', {}, { refreshToken: by.refreshToken })).status, 401, name)
    }
  }
  const lags = await measuring
  for (const one of processes) {
    for (const by of doomed) assert.equal(await guarded(one, by), 401, name)
    for (const by of spared) assert.equal(await guarded(one, by), 200, name)
  }
  return lags
}

async function playAll(t: TestContext, database: string): Promise<void> {
  const processes = await startProcesses(t, 3, {
    database,
    schema: uniqueSchema(),
    twoFactor: { allowCodeReuse: true },
  })
  const lags: number[] = []
  let ended = 0
  const names = Object.keys(acts)
  // Four acts at a time.
  await Promise.all(
    [0, 1, 2, 3].map(async (lane) => {
      for (let round = 0; round < rounds; round++) {
        for (let index = lane; index < names.length; index += 4) {
          lags.push(
            ...(await play(processes, (round + index) % 3, names[index]!, `person${round}-${index}@example.com`)),
          )
          ended++
        }
      }
    }),
  )
  lags.sort((a, b) => a - b)
  const at = (share: number) => Math.round(lags[Math.min(lags.length - 1, Math.floor(lags.length * share))]!)
  t.diagnostic(
    `${ended} revocations seen by 2 other processes each: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`,
  )
  assert.ok(ended >= 30)
}

test('what one of three processes ends, the others refuse', async (t) => playAll(t, await databaseUrl()))

test(
  'what one of three processes ends, the others refuse, behind a pooler in transaction mode',
  { skip: withoutPgbouncer },
  async (t) => {
    await playAll(t, await startPgbouncer(t, await databaseUrl()))
  },
)
