// For routes where a stranger causes a hash (/resetPassword hashes for a valid code only): while the password queue
// is full, a request waits for a second before its body is read. A client that is refused at once would repeat the
// request at once, and refusing it over and over takes the time that hashing needs.
import type { onRequestHookHandler } from 'fastify'
import { HasherBusy } from '../errors.js'

const holdMilliseconds = 1_000
const mostHeld = 1_000

/**
 * Lets a request through while the queue has room. Otherwise holds it for a second, at most 1,000 at once, then lets
 * it through or answers 503.
 */
export function holdWhileFull(isFull: () => boolean): onRequestHookHandler {
  let held = 0
  return (_request, _reply, done) => {
    if (!isFull()) {
      done()
      return
    }
    if (held >= mostHeld) {
      done(new HasherBusy())
      return
    }
    held++
    setTimeout(() => {
      held--
      done(isFull() ? new HasherBusy() : undefined)
    }, holdMilliseconds)
  }
}
