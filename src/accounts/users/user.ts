// The user of the application, in the words of the public surface.
import type { UserRecord } from '../../store/users.js'

// Not an alias: a host's declarations name the type by the symbol that the package exports.
/** A user of the application. Methods that change one bring the object they were given up to date. */
export type { UserRecord as User } from '../../store/users.js'

/** What a new user must have; everything else has a default. */
export type NewUser = Partial<UserRecord> & { userName: string }
