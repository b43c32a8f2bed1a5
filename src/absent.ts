// A rule of the wire that routes and managers share.
/** Treats null and '' as absent, like the reference (`string.IsNullOrEmpty`). */
export function isGiven(text: string | null | undefined): text is string {
  return text !== undefined && text !== null && text !== ''
}
