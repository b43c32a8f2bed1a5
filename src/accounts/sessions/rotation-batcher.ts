// Refreshes that arrive in one iteration of the event loop share a statement: under load most of the cost is the
// round trip, not the row. A refresh that arrives alone is its own statement and does not wait.
import type { Db } from '../../store/db.js'
import { type LiveSession, rotateSession, rotateSessions } from '../../store/sessions.js'

interface Waiting {
  readonly counter: number
  readonly resolve: (session: LiveSession | null | Promise<LiveSession | null>) => void
  readonly reject: (error: unknown) => void
}

const mostInOne = 100

/** `rotateSession` in batches, with the same results one by one. */
export function gatherRotations(
  db: Db,
  idleSeconds: number | null = null,
): (id: string, counter: number) => Promise<LiveSession | null> {
  let waiting = new Map<string, Waiting>()

  function send(): void {
    const batch = waiting
    waiting = new Map()
    if (batch.size === 0) return
    const alone = (id: string, { counter, resolve }: Waiting) => resolve(rotateSession(db, id, counter, idleSeconds))
    if (batch.size === 1) {
      batch.forEach((one, id) => alone(id, one))
      return
    }
    rotateSessions(
      db,
      Array.from(batch, ([id, { counter }]) => ({ id, counter })),
      idleSeconds,
    ).then(
      (moved) => {
        // A refresh that changed nothing is repeated alone: none waits for a row that another transaction has locked.
        for (const [id, one] of batch) {
          const session = moved.get(id)
          if (session === undefined) alone(id, one)
          else one.resolve(session)
        }
      },
      (error: unknown) => batch.forEach(({ reject }) => reject(error)),
    )
  }

  return (id, counter) => {
    // Of two tokens of one session only one can be right.
    if (waiting.has(id)) return rotateSession(db, id, counter, idleSeconds)
    return new Promise((resolve, reject) => {
      if (waiting.size === 0) setImmediate(send)
      waiting.set(id, { counter, resolve, reject })
      if (waiting.size === mostInOne) send()
    })
  }
}
