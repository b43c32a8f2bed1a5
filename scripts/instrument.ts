// A loader hook for scripts/walks.ts: puts a call at the start of every function of the package, so that a request can
// be followed from file to file. Lines stay where they are.
import type { LoadHook } from 'node:module'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context)
  const name = /\/dist\/(src\/.*)\.js$/.exec(url)?.[1]
  if (name === undefined || loaded.format !== 'module') return loaded
  const text = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source)
  return { ...loaded, source: instrumented(text, `${name}.ts`, fileURLToPath(url)) }
}

interface Insertion {
  readonly at: number
  readonly text: string
}

/** The text of a module in which each function first calls `globalThis.entered` with the name of the file. */
export function instrumented(text: string, name: string, path: string): string {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS)
  const call = `globalThis.entered?.(${JSON.stringify(name)})`
  const insertions: Insertion[] = []
  const visit = (node: ts.Node): void => {
    const body = ts.isFunctionLike(node) && 'body' in node ? node.body : undefined
    if (body !== undefined && ts.isBlock(body)) insertions.push({ at: body.getStart(source) + 1, text: `${call};` })
    else if (body !== undefined)
      insertions.push({ at: body.getStart(source), text: `(${call}, (` }, { at: body.end, text: '))' })
    ts.forEachChild(node, visit)
  }
  visit(source)
  // From the end on, so that the positions before stay right.
  return insertions
    .sort((a, b) => b.at - a.at)
    .reduce((done, { at, text: inserted }) => done.slice(0, at) + inserted + done.slice(at), text)
}
