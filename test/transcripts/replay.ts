// Plays a story on our own host, over a socket.
import { identityRoutes } from '../../src/index.js'
import { startApp } from '../support/app.js'
import type { Story } from './stories/story.js'
import { type Exchange, type Letter, Talk } from './talk.js'

export async function replay(story: Story): Promise<readonly Exchange[]> {
  const mails: Letter[] = []
  const app = await startApp({
    identity: {
      publicUrl: 'http://accounts.example.com',
      email: {
        send: (mail) => {
          mails.push(mail)
          return Promise.resolve()
        },
      },
      ...(story.requireConfirmedEmail === true && { signIn: { requireConfirmedEmail: true } }),
    },
    after: (host) => host.register(identityRoutes, { prefix: '' }),
  })
  try {
    const origin = await app.listen()
    const now = () => Promise.resolve(app.clock())
    const talk = new Talk({
      origin,
      now,
      codeTime: now,
      advance: (seconds) => {
        app.clock.advance(seconds)
        return Promise.resolve()
      },
      letters: async () => {
        await app.app.identity.mail.flush()
        return mails
      },
    })
    await story.play(talk)
    return talk.exchanges
  } finally {
    await app.close()
  }
}
