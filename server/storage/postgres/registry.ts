/** What the directory keeps for a registry: logins, and for one without a server of its own also records and leases. */
import { sql, type Selectable } from 'kysely'
import type { Directory, KeptLogin, Replacement } from '../storage.ts'
import type { Database } from './database.ts'
import type { Tables } from './tables.ts'

type Logins = Pick<Directory, 'keepLogin' | 'settleLogins' | 'endLogins' | 'findLogins' | 'listLogins'>

export function createLogins(db: Database): Logins {
  const kept = db
    .selectFrom('logins')
    .selectAll()
    .where(sql<boolean>`(expires_at is null or expires_at > madang_now())`)
  const isOneOf = (sha256s: string[]) => sql<boolean>`sha256 = any (${sha256s}::text[])`
  return {
    keepLogin: async ({ sha256, userId, username, subject, token, expiresAt }) => {
      const values = { user_id: userId, username, subject, token, expires_at: expiresAt, is_pending: true }
      const insert = db.insertInto('logins').values({ sha256, ...values })
      const again = { ...values, number: sql<number>`default` }
      await insert.onConflict((conflict) => conflict.column('sha256').doUpdateSet(again)).execute()
    },
    settleLogins: async (sha256s) => {
      await db.updateTable('logins').set({ is_pending: false }).where(isOneOf(sha256s)).execute()
    },
    endLogins: async (sha256s) => {
      await db.deleteFrom('logins').where(isOneOf(sha256s)).execute()
    },
    findLogins: async (sha256s) => (await kept.where(isOneOf(sha256s)).orderBy('number').execute()).map(toLogin),
    listLogins: async ({ after, limit, pending }) => {
      const page = kept.where('number', '>', after).orderBy('number').limit(limit)
      return (await (pending ? page.where('is_pending', '=', sql.lit(true)) : page).execute()).map(toLogin)
    },
  }
}

function toLogin(row: Selectable<Tables['logins']>): KeptLogin {
  const { sha256, number, username, subject, token } = row
  return { sha256, number, userId: row.user_id, username, subject, token, expiresAt: row.expires_at, isPending: row.is_pending }
}

type Records = Pick<Directory, 'readRecords' | 'replaceRecord' | 'renewLease'>

export function createRecords(db: Database): Records {
  return {
    readRecords: (names) => readRecords(db, names),
    replaceRecord: async (name, replacement) => {
      const { to } = replacement
      const { rows } = await (to === null ? deletion(name, replacement) : setting(name, to, replacement)).execute(db)
      return rows.length > 0
    },
    renewLease: (node, leaseMs) => renewLease(db, node, leaseMs),
  }
}

interface RecordsRow {
  nowMs: number
  leases: Record<string, number>
  values: (string | null)[]
}

/** One statement, so that all is of one moment. */
async function readRecords(db: Database, names: string[]): ReturnType<Directory['readRecords']> {
  const { rows } = await sql<RecordsRow>`
    select now as "nowMs",
      (select coalesce(json_object_agg(node, until), '{}') from registry_leases) as leases,
      array(
        select r.value from unnest(${names}::text[]) with ordinality as asked (name, nth)
        left join registry_records r on r.name = asked.name and (r.kept_until is null or r.kept_until > now)
        order by nth
      ) as values
    from madang_now() as now
  `.execute(db)
  const { nowMs, leases, values } = rows[0]!
  return { nowMs, leases: new Map(Object.entries(leases)), values }
}

/** What has not come yet. */
const before = (ms: number | null) => sql<boolean>`(${ms}::bigint is null or madang_now() < ${ms}::bigint)`
const keptUntil = (ms: number | null) => sql<number>`madang_now() + ${ms}::bigint`

function deletion(name: string, { from, beforeMs }: Replacement) {
  return sql`
    delete from registry_records
    where name = ${name} and value = ${from} and (kept_until is null or kept_until > madang_now()) and ${before(beforeMs)}
    returning name
  `
}

function setting(name: string, to: string, { from, beforeMs, keepMs }: Replacement) {
  if (from !== null)
    return sql`
      update registry_records set value = ${to}, kept_until = ${keptUntil(keepMs)}
      where name = ${name} and value = ${from} and (kept_until is null or kept_until > madang_now()) and ${before(beforeMs)}
      returning name
    `
  return sql`
    insert into registry_records as r (name, value, kept_until)
    select ${name}, ${to}, ${keptUntil(keepMs)} where ${before(beforeMs)}
    on conflict (name) do update set value = excluded.value, kept_until = excluded.kept_until where r.kept_until <= madang_now()
    returning name
  `
}

async function renewLease(db: Database, node: string, leaseMs: number): Promise<boolean> {
  const { rows } = await sql`
    insert into registry_leases as l (node, until) values (${node}, madang_now() + ${leaseMs}::bigint)
    on conflict (node) do update set until = excluded.until where l.until > madang_now()
    returning node
  `.execute(db)
  return rows.length > 0
}
