// The server under load, in a process of its own: the example's application and, beside its guarded route, the same route without a guard.
// Started by authenticate.ts, which asks over IPC for the CPU time used so far.
import { buildApp, forecasts, weatherSchema } from '../examples/app.js'

const app = await buildApp({ database: process.env.DATABASE_URL!, publicUrl: 'http://127.0.0.1' })
app.get('/bare', { schema: weatherSchema }, forecasts)
const url = await app.listen({ host: '127.0.0.1', port: 0 })

process.on('message', () => process.send?.(process.cpuUsage()))
process.on('disconnect', () => void app.close().then(() => process.exit(0)))
process.send?.(url)
