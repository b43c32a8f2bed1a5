// The example's application in a process of its own, for enumeration.ts. Its mails are not printed.
import { buildApp } from '../examples/app.js'
import { answering } from './support/child.js'

console.log = () => undefined
const app = await buildApp({ database: process.env.DATABASE_URL!, publicUrl: 'http://127.0.0.1' })
const url = await app.listen({ host: '127.0.0.1', port: 0 })

answering({ url: () => url }, () => app.close())
