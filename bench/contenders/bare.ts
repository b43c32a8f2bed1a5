// No authentication at all: what everything else is compared with.
import type { Mount } from '../support/contender.js'

export const mount: Mount = () => ({})
