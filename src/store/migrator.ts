// Kysely's Migrator, which lives in 'kysely/migration' since 0.29 and in 'kysely' before. Loaded when it is needed: a module that waits
// at its top level could not be required.
import type { Migrator } from 'kysely'

export async function loadMigrator(): Promise<typeof Migrator> {
  try {
    // @ts-expect-error -- the types are those of 0.28, which has no such entry
    const moved = await import('kysely/migration') as { Migrator: typeof Migrator }
    return moved.Migrator
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error
    return (await import('kysely')).Migrator
  }
}
