// The prefixed inside: our own parser, validator, serializer and error handler, so that a host's settings neither weaken nor break it.
import type { FastifyInstance } from 'fastify'
import { bodyLimit, checkOnly, readJsonOnly, writeOnly } from '../http/json.js'
import { answerError, sendEmpty } from '../http/problem.js'
import type { Realm } from '../http/realm.js'
import { confirmEmail } from './confirm-email.js'
import { login } from './login.js'
import { logout } from './logout.js'
import { forgotPassword, resendConfirmationEmail } from './mail-requests.js'
import { twoFactor } from './manage/2fa.js'
import { getInfo, postInfo } from './manage/info.js'
import { deleteSession, listSessions } from './manage/sessions.js'
import { refresh } from './refresh.js'
import { register } from './register.js'
import { resetPassword } from './reset-password.js'
import { type Door, hang } from './route.js'

type Endpoint = 'register' | 'login' | 'refresh' | 'logout' | 'confirmEmail' | 'resendConfirmationEmail' | 'forgotPassword'
  | 'resetPassword' | 'twoFactor' | 'info' | 'sessions'

/** Hangs the doors of a realm in a scope of its own. */
export function mountRoutes(scope: FastifyInstance, realm: Realm, endpoints: Readonly<Record<Endpoint, boolean>>): void {
  readJsonOnly(scope)
  scope.setValidatorCompiler(checkOnly)
  scope.setSerializerCompiler(writeOnly)
  scope.setErrorHandler(answerError)
  // At the root the host answers for unknown paths.
  if (scope.prefix !== '') scope.setNotFoundHandler((_request, reply) => sendEmpty(reply, 404))
  scope.addHook('onRoute', (route) => { route.bodyLimit ??= bodyLimit })
  // Every answer is for this caller only, and is what its content type says (security HT-01, HT-02).
  scope.addHook('onRequest', function identityRoute(_request, reply, done) {
    void reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    done()
  })
  const doors: [Endpoint, Door][] = [
    ['register', register(realm)],
    ['login', login(realm)],
    ['refresh', refresh(realm)],
    ['confirmEmail', confirmEmail(realm)],
    ['resendConfirmationEmail', resendConfirmationEmail(realm)],
    ['forgotPassword', forgotPassword(realm)],
    ['resetPassword', resetPassword(realm)],
    ['logout', logout(realm)],
    ['twoFactor', twoFactor(realm)],
    ['info', getInfo(realm)],
    ['info', postInfo(realm)],
    ['sessions', listSessions(realm)],
    ['sessions', deleteSession(realm)],
  ]
  hang(scope, realm, doors.filter(([name]) => endpoints[name]).map(([, door]) => door))
}
