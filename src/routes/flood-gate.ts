// In front of the routes where a stranger makes us hash, before a body is read (/resetPassword hashes for a good code only): while
// the line for hashing is full, who comes waits a second in silence.
// A client that is refused at once asks again at once, and refusing it over and over takes the time that hashing needs.
import type { onRequestHookHandler } from 'fastify'
import { HasherBusy } from '../errors.js'

const holdMilliseconds = 1_000
const mostHeld = 1_000

/** Lets in while the line has room. Else holds a request for a second, at most 1,000 of them, then lets it in or answers 503. */
export function floodGate(isFull: () => boolean): onRequestHookHandler {
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
