// Asks before something is destroyed. The question goes to stderr, so that stdout contains the result only.
import { createInterface } from 'node:readline'
import { CommandFailed, type Shell, UsageError } from './command.js'

/** @throws UsageError when there is no terminal; CommandFailed when the answer is no */
export async function confirm({ stdin, stderr }: Shell, question: string): Promise<void> {
  if (stdin.isTTY !== true || stderr.isTTY !== true) {
    throw new UsageError('This is destructive, and there is no terminal for a confirmation. Pass --yes to confirm')
  }
  const lines = createInterface({ input: stdin, output: stderr })
  const answer = await new Promise<string>((resolve) => {
    lines.question(`${question} [y/N] `, resolve)
    // The end of the input, and Ctrl-C.
    lines.once('close', () => resolve(''))
  })
  lines.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailed('DECLINED', 'Nothing was done')
}
