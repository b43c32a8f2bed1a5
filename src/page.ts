// Where a page of a list begins, and how long it may be.

/** Which page of a list. */
export interface PageOptions {
  /** `next` of the previous page; undefined or null for the first page. Any other text gives an empty page. */
  readonly after?: string | null | undefined
  /** The most entries of a page; 1 to 500, default 50. */
  readonly limit?: number | undefined
}

const defaultLimit = 50
const maxLimit = 500

export function limitOf({ limit = defaultLimit }: PageOptions): number {
  return Number.isFinite(limit) ? Math.min(Math.max(Math.trunc(limit), 1), maxLimit) : defaultLimit
}
