// The user of the application, in the words of the public surface.
import type { UserRecord } from '../store/users.js'

/** A user of the application. Methods that change one bring the object they were given up to date. */
export type User = UserRecord

/** What a new user must have; everything else has a default. */
export type NewUser = Partial<UserRecord> & { userName: string }
