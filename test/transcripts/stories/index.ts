// All stories, in the order in which they are recorded and replayed.
import { changing, confirming, moving, refreshing, registering, resetting } from './accounts.js'
import { cookies, forgiving, lockout, remembering, secondFactor, unconfirmed } from './sign-in.js'
import type { Story } from './story.js'
import { authorization, bodies, contentTypes, flags, methods, spellings } from './wire.js'

export const stories: readonly Story[] = [
  methods,
  spellings,
  contentTypes,
  bodies,
  flags,
  authorization,
  registering,
  confirming,
  changing,
  moving,
  resetting,
  cookies,
  lockout,
  secondFactor,
  forgiving,
  remembering,
  unconfirmed,
  refreshing,
]
