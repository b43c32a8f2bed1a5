// An unsuccessful answer as an error. RFC 9457 problems are read; with an empty body there is the status alone.

/** The members of our problems (RFC 9457, and the reference's `errors`). */
interface Problem {
  readonly title?: string
  readonly detail?: string
  readonly errors?: Readonly<Record<string, readonly string[]>>
}

/** Thrown by the client's methods for an unsuccessful answer. Errors of the network are thrown unchanged. */
export class IdentityClientError extends Error {
  /** Always `'IdentityClientError'`. */
  override readonly name = 'IdentityClientError'
  /** The HTTP status: 400, 401, 403, 404, 413, 500, 503 … */
  readonly status: number
  /** Messages by code: `{ PasswordTooShort: ['…'] }`; by field where a profile field is wrong. */
  readonly errors: Readonly<Record<string, readonly string[]>>
  /** The problem's detail, for example `NotAllowed`; null without one. */
  readonly detail: string | null
  /** How long to wait, with 503. */
  readonly retryAfterSeconds: number | null

  constructor(status: number, { title, detail, errors = {} }: Problem, retryAfterSeconds: number | null) {
    super(
      [
        `${status}${title === undefined ? '' : ` ${title}`}`,
        ...Object.values(errors).flat(),
        ...(detail === undefined ? [] : [detail]),
      ].join(' · '),
    )
    this.status = status
    this.errors = errors
    this.detail = detail ?? null
    this.retryAfterSeconds = retryAfterSeconds
  }

  /** The codes of `errors`. */
  get codes(): readonly string[] {
    return Object.keys(this.errors)
  }
}

export async function errorOf(answer: Response): Promise<IdentityClientError> {
  const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json') === true
  // A body of this type is an object; its members are read by name.
  const problem = isProblem ? ((await answer.json()) as Problem) : {}
  const wait = Number(answer.headers.get('retry-after') ?? 'none')
  return new IdentityClientError(answer.status, problem, Number.isFinite(wait) ? wait : null)
}
