// One rule of the wire that doors and managers share.
/** Whether a member of a request says anything: the reference takes null and the empty text for nothing (`string.IsNullOrEmpty`). */
export function isGiven(text: string | null | undefined): text is string {
  return text !== undefined && text !== null && text !== ''
}
