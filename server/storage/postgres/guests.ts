/** Guests: the visitors of projects, as authors (W9). */
import { sql } from 'kysely'
import type { User } from '../../core/model.ts'
import { guestUsername } from '../../core/texts.ts'
import type { NewGuest } from '../storage.ts'
import type { Database } from './database.ts'
import { gather } from './gathering.ts'
import { toUser } from './rows.ts'
import type { Tables } from './tables.ts'

type Row = Tables['users']

/** Visitors come in crowds, as when a page is opened for all: what waits is read together, and made together. */
export function createOpenGuest(db: Database): (guest: NewGuest) => Promise<User> {
  const find = gather(db, findGuests)
  const insert = gather(db, insertGuests)
  return async (guest) => {
    for (;;) {
      const known = (await find(keyOf(guest))) ?? (await insert(guest))
      // Most guests come back as they were.
      const row = known === null || known.avatar_url === guest.avatarUrl ? known : await updateAvatar(db, guest)
      // Null: another made him just now, or an account took his address.
      if (row !== null) return toUser(row)
    }
  }
}

/** No account's name has a line break, and neither text of a guest does. */
function keyOf({ projectId, name }: NewGuest): string {
  return `guest:${projectId}\n${name}`
}

async function findGuests(db: Database, keys: string[]): Promise<(Row | null)[]> {
  const query = db.selectFrom('users').selectAll()
  return inOrder(keys, await query.where('username_key', '=', sql<string>`any (${keys}::text[])`).execute())
}

function inOrder(keys: string[], rows: Row[]): (Row | null)[] {
  const found = new Map(rows.map((row) => [row.username_key, row]))
  return keys.map((key) => found.get(key) ?? null)
}

async function updateAvatar(db: Database, guest: NewGuest): Promise<Row | null> {
  const columns = { avatar_url: guest.avatarUrl, updated_at: sql<number>`madang_now()` }
  const update = db.updateTable('users').set(columns).where('username_key', '=', keyOf(guest))
  return (await update.returningAll().executeTakeFirst()) ?? null
}

/** Null for whom another made just now, and whose address an account has taken just now. */
async function insertGuests(db: Database, asked: NewGuest[]): Promise<(Row | null)[]> {
  const guests = [...new Map(asked.map((guest) => [keyOf(guest), guest])).values()]
  const { rows } = await sql<Row>`
    insert into users
      (id, username, username_key, email, full_name, avatar_url, origin, is_active, created_at, updated_at)
    select made.id, username, username_key,
      -- A number that is given back would be given again, so it is the address that changes.
      case when exists (select from users where email = 'guest' || made.id || '@example.com') then gen_random_uuid()::text
        else 'guest' || made.id end || '@example.com',
      full_name, avatar_url, 'guest', false, now, now
    from (
      select madang_next_id('user') as id, asked.*
      from unnest(
        ${guests.map(guestUsername)}::text[], ${guests.map(keyOf)}::text[],
        ${guests.map(({ name }) => name)}::text[], ${guests.map(({ avatarUrl }) => avatarUrl)}::text[]
      ) as asked (username, username_key, full_name, avatar_url)
    ) as made, madang_now() as now
    on conflict do nothing
    returning *
  `.execute(db)
  return inOrder(asked.map(keyOf), rows)
}
