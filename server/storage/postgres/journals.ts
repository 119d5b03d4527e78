/** Journals and the commits that they left. */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Fact } from '../../core/events.ts'
import { leaseKeptMs, type Commit, type JournalRecord, type LogStore } from '../storage.ts'
import type { Database } from './database.ts'
import { decodeAfter, decodeRead, markerFact, type StoredOutcome } from './outcome.ts'
import { toLogRow } from './rows.ts'
import type { LogRowRecord, Tables } from './tables.ts'

const CLIENT_KEY_MS = 24 * 3_600_000
const COMMIT_MS = 3_600_000
/** Hex digits are characters of [0-9a-z]; 4 bytes make 8 of them. */
const TAG_BYTES = 4

type JournalStore = Pick<
  LogStore,
  'openJournal' | 'closeJournal' | 'touchJournal' | 'closeSilentJournals' | 'listJournals' | 'readCommits'
>

export function createJournalStore(db: Database): JournalStore {
  return {
    openJournal: () => openJournal(db),
    closeJournal: async (journal) => {
      await db
        .updateTable('journals')
        .set({ closed_at: sql`coalesce(closed_at, madang_now())` })
        .where('number', '=', journal)
        .execute()
    },
    touchJournal: async (journal) => {
      await db
        .updateTable('journals')
        .set({ seen_at: sql`madang_now()` })
        .where('number', '=', journal)
        .execute()
    },
    closeSilentJournals: async (silentMs) => {
      // A journal whose row is locked is writing at this moment.
      await sql`
        update journals set closed_at = madang_now()
        where number in (
          select number from journals where closed_at is null and seen_at < madang_now() - ${silentMs}::bigint for update skip locked
        )
      `.execute(db)
    },
    listJournals: async (from) => {
      const rows = await db.selectFrom('journals').selectAll().where('number', '>=', from).orderBy('number').execute()
      return rows.map(toJournal)
    },
    readCommits: (journal, afterPosition, limit) => readCommits(db, journal, { afterPosition, limit }),
  }
}

async function openJournal(db: Database): Promise<JournalRecord> {
  const tag = randomBytes(TAG_BYTES).toString('hex')
  const { rows } = await sql<Tables['journals']>`
    insert into journals (number, tag, seen_at) values (madang_next_id('journal'), ${tag}, madang_now()) returning *
  `.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('a journal was not made')
  return toJournal(row)
}

function toJournal(row: Tables['journals']): JournalRecord {
  return { number: row.number, tag: row.tag, lastPosition: row.last_position, isClosed: row.closed_at !== null }
}

async function readCommits(db: Database, journal: number, page: { afterPosition: number; limit: number }): Promise<Commit[]> {
  const commits = await db
    .selectFrom('commits')
    .selectAll()
    .where('journal', '=', journal)
    .where('last_position', '>', page.afterPosition)
    .orderBy('first_position')
    .limit(page.limit)
    .execute()
  const rows = await readCommitted(db, commits)
  let taken = 0
  return commits.map((commit) => {
    const from = taken
    while ((rows[taken]?.position ?? Infinity) <= commit.last_position) taken++
    return toCommit(commit, rows.slice(from, taken))
  })
}

/** The log rows of these commits, by position. */
async function readCommitted(db: Database, commits: Tables['commits'][]): Promise<LogRowRecord[]> {
  const ranges = commits.flatMap(({ outcome }) => [
    ...(outcome.blocks ?? []).map(([roomId, seq, , , , , indexes]) => [roomId, seq, seq + indexes.length - 1] as const),
    ...(outcome.changes ?? []).flatMap(([, rows]) => rows.map(([roomId, seq]) => [roomId, seq, seq] as const)),
  ])
  if (ranges.length === 0) return []
  const [rooms, firsts, lasts] = [0, 1, 2].map((column) => ranges.map((range) => range[column]))
  const { rows } = await sql<LogRowRecord>`
    select v.*
    from unnest(${rooms}::bigint[], ${firsts}::bigint[], ${lasts}::bigint[]) as range (room_id, first, last)
    join log_rows v on v.room_id = range.room_id and v.seq between range.first and range.last
    order by v.position
  `.execute(db)
  return rows
}

function toCommit(commit: Tables['commits'], rows: LogRowRecord[]): Commit {
  const { journal, first_position: firstPosition, last_position: lastPosition, outcome } = commit
  const passed = passedRows(outcome)
  const logged = rows.flatMap((row): Fact[] => {
    const fact = toLogRow(row)
    if (fact.type !== 'message.posted' || row.guest === true) return [fact]
    return [fact, markerFact(fact, passed.has(`${fact.roomId} ${fact.seq}`))]
  })
  const reads = (outcome.reads ?? []).map((read) => decodeRead(journal, read))
  return { journal, firstPosition, lastPosition, facts: [...logged, ...reads], after: decodeAfter(outcome) }
}

/** Room and seq of each post that carried its author's marker past others' messages. */
function passedRows(outcome: StoredOutcome): Set<string> {
  const found = new Set<string>()
  for (const [roomId, firstSeq, , , , , indexes, passed] of outcome.blocks ?? []) {
    for (const nth of indexes.keys()) if (passed?.[nth] === '1') found.add(`${roomId} ${firstSeq + nth}`)
  }
  return found
}

export async function prune(db: Database, hasAutovacuum: boolean): Promise<void> {
  const before = (ms: number) => sql<number>`madang_now() - ${ms}::bigint`
  await db.deleteFrom('client_keys').where('at', '<', before(CLIENT_KEY_MS)).execute()
  await db.deleteFrom('commits').where('at', '<', before(COMMIT_MS)).execute()
  await db.deleteFrom('revoked_tokens').where('expires_at', '<', before(0)).execute()
  await db.deleteFrom('logins').where('expires_at', '<', before(0)).execute()
  await db.deleteFrom('registry_records').where('kept_until', '<', before(0)).execute()
  await db.deleteFrom('registry_leases').where('until', '<', before(leaseKeptMs)).execute()
  if (!hasAutovacuum)
    await sql`vacuum client_keys, commits, revoked_tokens, logins, registry_records, registry_leases`.execute(db)
}
