// The user of the application, as in the public interface.
import type { UserRecord } from '../../store/users.js'

// Not an alias: a host's declarations name the type by the symbol that the package exports.
/** A user of the application. Methods that change a user also update the object that they are given. */
export type { UserRecord as User } from '../../store/users.js'

/** The members of a new user; all but the name have defaults. */
export type NewUser = Partial<UserRecord> & { userName: string }
