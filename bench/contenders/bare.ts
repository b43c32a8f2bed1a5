// No authentication at all: the base of every comparison.
import type { Mount } from '../support/contender.js'

export const mount: Mount = () => ({})
