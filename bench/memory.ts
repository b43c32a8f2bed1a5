// Memory by number of users: a million authenticated requests, no token twice; resident memory after each hundred
// thousand. A second instance on the same database seals the tokens, so that the measured one only opens them.
import { credentialFiles, load } from './support/loads.js'
import type { Report } from './support/report.js'
import type { Settings } from './support/rounds.js'
import { contenderOf, startServer } from './support/servers.js'

const connections = 50

export async function memory({ database, isQuick }: Settings): Promise<Report> {
  const batch = isQuick ? 10_000 : 100_000
  const batches = isQuick ? 3 : 10
  const schema = 'bench_memory'
  const measured = await startServer(contenderOf('identity'), { database, schema })
  const sealing = await startServer(contenderOf('identity'), { database, schema })
  const files = await credentialFiles()
  const rss: number[] = []
  try {
    for (let done = 0; done < batches; done++) {
      const file = await files.write(await sealing.credentials(batch))
      const { statuses } = await load({
        kind: 'get',
        url: `${measured.url}/guarded`,
        connections,
        seconds: 0,
        amount: batch,
        file,
      })
      if (statuses[200] !== batch) throw new Error(`Of ${batch} requests ${JSON.stringify(statuses)}`)
      rss.push((await measured.usage()).rss)
    }
  } finally {
    await Promise.all([measured.stop(), sealing.stop(), files.remove()])
  }
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`
  const grown = rss.at(-1)! - rss[0]!
  return {
    title: 'Memory',
    table: [
      ['requests with distinct tokens', 'RSS'],
      ...rss.map((bytes, index) => [String((index + 1) * batch), megabytes(bytes)]),
    ],
    findings: [
      {
        what: `RSS after ${(batch * batches).toLocaleString('en')} requests with distinct tokens, above that after ${batch.toLocaleString('en')}`,
        target: '≤ 20 MB',
        measured: megabytes(grown),
        isMet: grown <= 20e6,
      },
    ],
  }
}
