// One object of several parts. Spreading them would let a later part replace a member of an earlier one in silence.

/** The names that two of the parts have. */
type Clash<Parts extends readonly object[], Seen = never> = Parts extends readonly [
  infer First,
  ...infer Rest extends readonly object[],
]
  ? (keyof First & Seen) | Clash<Rest, Seen | keyof First>
  : never

type Both<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void ? All : never

/** Joins parts that have no name in common: another part with a known name is a type error. */
export function joined<const Parts extends readonly object[]>(
  parts: [Clash<Parts>] extends [never] ? Parts : { readonly 'two parts have': Clash<Parts> },
): Both<Parts[number]> {
  // Object.assign does not follow the types of a list.
  return Object.assign({}, ...(parts as Parts)) as Both<Parts[number]>
}
