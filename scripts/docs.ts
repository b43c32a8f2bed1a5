// `npm run docs`: writes the generated tables of docs/ and the reports of the public API in api/.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { apiReports } from './api-report.js'
import { generatedPages } from './docs/pages.js'
import { openPackage, project } from './docs/program.js'

const opened = openPackage()
for (const [path, text] of [...generatedPages(opened), ...apiReports(opened)]) {
  mkdirSync(dirname(join(project, path)), { recursive: true })
  writeFileSync(join(project, path), text)
}
