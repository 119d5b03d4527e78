/** Guests: the visitors of projects, as authors (W9). */
import { sql } from 'kysely'
import type { User } from '../../core/model.ts'
import { guestUsername } from '../../core/texts.ts'
import type { NewGuest } from '../storage.ts'
import type { Database } from './database.ts'
import { isUniqueViolation } from './errors.ts'
import { toUser } from './rows.ts'
import type { Tables } from './tables.ts'

export async function openGuest(db: Database, guest: NewGuest): Promise<User> {
  const key = keyOf(guest)
  for (;;) {
    const row = (await updateAvatar(db, key, guest)) ?? (await insertGuest(db, key, guest))
    // Null: another made him just now, or an account took his address.
    if (row !== null) return toUser(row)
  }
}

/** No account's name has a line break, and neither text of a guest does. */
function keyOf({ projectId, name }: NewGuest): string {
  return `guest:${projectId}\n${name}`
}

/** Most guests come back as they were, and that is one read. */
async function updateAvatar(db: Database, key: string, { avatarUrl }: NewGuest): Promise<Tables['users'] | null> {
  const known = await db.selectFrom('users').selectAll().where('username_key', '=', key).executeTakeFirst()
  if (known === undefined || known.avatar_url === avatarUrl) return known ?? null
  const columns = { avatar_url: avatarUrl, updated_at: sql<number>`madang_now()` }
  const update = db.updateTable('users').set(columns).where('username_key', '=', key)
  return (await update.returningAll().executeTakeFirst()) ?? null
}

async function insertGuest(db: Database, key: string, { projectId, name, avatarUrl }: NewGuest): Promise<Tables['users'] | null> {
  try {
    const { rows } = await sql<Tables['users']>`
      insert into users
        (id, username, username_key, email, full_name, avatar_url, origin, is_active, created_at, updated_at)
      select id, ${guestUsername({ projectId, name })}, ${key},
        -- A number that is given back would be given again, so it is the address that changes.
        case when exists (select from users where email = 'guest' || id || '@example.com') then gen_random_uuid()::text
          else 'guest' || id end || '@example.com',
        ${name}, ${avatarUrl}::text, 'guest', false, now, now
      from madang_next_id('user') as id, madang_now() as now
      returning *
    `.execute(db)
    return rows[0] ?? null
  } catch (error) {
    if (isUniqueViolation(error)) return null
    throw error
  }
}
