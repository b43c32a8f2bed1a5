// The cost of sealing and opening by itself, in a loop. A server pays more: see the CPU column of authenticate.ts.
import { startChild } from './support/child.js'
import { median, type Report, spread } from './support/report.js'
import { inRounds, type Settings } from './support/rounds.js'

const names: Readonly<Record<string, string>> = {
  sealTicket: 'fastify-identity: seal a ticket',
  openTicket: 'fastify-identity: open a ticket',
  rememberedTicket: 'fastify-identity: look up a remembered ticket',
  gcmOpen: 'node:crypto AES-256-GCM and JSON: open',
  secretboxOpen: 'libsodium secretbox and JSON: open',
  jwtVerify: 'fast-jwt HS256: verify',
  jweDecrypt: 'jose JWE A256GCM: decrypt',
}

export async function seal(settings: Settings): Promise<Report> {
  const child = startChild(import.meta.resolve('./support/seal-loop.js'))
  try {
    const results = await inRounds(
      Object.entries(names).map(([what, name]) => ({
        name,
        run: async (seconds: number) => (await child.ask('nanoseconds', { what, seconds: seconds / 4 })) as number,
      })),
      settings,
    )
    return {
      title: 'Sealing and opening, in a loop',
      table: [['', 'ns each'], ...[...results].map(([name, list]) => [name, spread(list, 0)])],
      findings: [
        {
          what: 'opening a ticket, in a loop: times a look-up of a remembered one',
          target: '',
          measured: (median(results.get(names.openTicket!)!) / median(results.get(names.rememberedTicket!)!)).toFixed(
            0,
          ),
          isMet: null,
        },
      ],
    }
  } finally {
    await child.stop()
  }
}
