// The table of endpoints: a row for each declaration.
import type { TSchema } from '@sinclair/typebox'
import type { EndpointDeclaration } from '../../src/routes/endpoint.js'
import { endpoints } from '../../src/routes/endpoints.js'
import { code, type Table } from './tables.js'

export function endpointTable(): Table {
  return {
    headings: ['route', 'caller', 'query or path', 'body', '200 answers', 'what it does'],
    rows: endpoints.map((endpoint: EndpointDeclaration) => [
      code(`${endpoint.method} ${endpoint.path}`),
      endpoint.auth === 'signedIn' ? 'signed in' : 'anybody',
      [...membersOf(endpoint.query), ...membersOf(endpoint.params)].map(code).join(' '),
      membersOf(endpoint.body).map(code).join(' '),
      answerOf(endpoint),
      [endpoint.summary, endpoint.description ?? '']
        .filter((text) => text !== '')
        .join('. ')
        .replace(/\.$/, ''),
    ]),
  }
}

function answerOf({ answers }: EndpointDeclaration): string {
  const answer = answers[200]
  if (answer === undefined) return 'nothing'
  if ('content' in answer) return 'a text'
  const schema: TSchema = answer
  const item = schema.items as TSchema | undefined // TypeBox makes JSON Schema
  const members = membersOf(item ?? schema).map(code)
  if (members.length === 0) return 'nothing'
  return (item === undefined ? '' : 'a list of ') + members.join(' ')
}

/** The members of an object, those that may be missing with a question mark. */
function membersOf(schema: TSchema | undefined): string[] {
  const { properties = {}, required = [] } = (schema ?? {}) as { properties?: object; required?: string[] } // JSON Schema
  return Object.keys(properties).map((name) => (required.includes(name) ? name : `${name}?`))
}
