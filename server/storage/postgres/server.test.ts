/** What only a PostgreSQL server has: a link that breaks, nodes that start at once, databases that do not fit. */
import { sql } from 'kysely'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { until } from '../../../test/chat.ts'
import { add, expel, makeRoom, post } from '../contract/entries.ts'
import { openWriter, statusOf } from '../contract/harness.ts'
import { BatchRejected, CommitUncertain, JournalClosed, StorageUnavailable, type Storage } from '../storage.ts'
import { databaseOver, statementName } from './database.ts'
import { openPostgresStorage, type PostgresOptions } from './index.ts'
import { openLink, type Link } from './link.fixture.ts'
import { createLogStore } from './log.ts'
import { MIGRATION_LOCK } from './migrate.ts'
import { Lane } from './pool.ts'
import { describeServer, makeDatabase, makeSchema } from './testing.ts'

const PAGE = { offset: 0, limit: 10 }
/** Whether a backend is of this test: others run beside it on the same server. */
const IS_OURS = "application_name = current_setting('application_name')"

async function schemaUrl(): Promise<string> {
  const { url, drop } = await makeSchema()
  onTestFinished(drop)
  return url
}

async function open(options: PostgresOptions): Promise<Storage> {
  const storage = await openPostgresStorage(options)
  onTestFinished(() => storage.close())
  return storage
}

/** A storage behind a link, and one that is not. */
async function openBoth(
  more: Partial<PostgresOptions> = {},
): Promise<{ linked: Storage; direct: Storage; link: Link; url: string }> {
  const url = await schemaUrl()
  const link = await openLink(url)
  onTestFinished(() => link.close())
  return { linked: await open({ url: link.url, ...more }), direct: await open({ url }), link, url }
}

/** A client of its own, for what the adapter does not offer. */
async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

describeServer('PostgreSQL: a log of before', () => {
  it('shows a removal that names no membership as the end of whichever began before it', async () => {
    const url = await schemaUrl()
    const storage = await open({ url })
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    await writer.run(expel(roomId, 2))
    await (await connect(url)).query(`update log set data = null where type = 'member.removed'`)
    expect(await storage.log.readLog(roomId, 3, 1)).toMatchObject([{ type: 'member.removed', seq: 2, joinedSeq: 1 }])
  })
})

describeServer('PostgreSQL: statements that come often', () => {
  it('go on where another node has changed what a table holds', async () => {
    const url = await schemaUrl()
    const storage = await open({ url, poolSize: 1 })
    const roomId = await makeRoom(await openWriter(storage), [1])
    const room = await storage.log.findRoom(roomId)
    for (let nth = 0; nth < 8; nth++) expect(await storage.log.findRoom(roomId)).toEqual(room)
    await (await connect(url)).query('alter table rooms add column later int')
    for (let nth = 0; nth < 8; nth++) expect(await storage.log.findRoom(roomId)).toEqual(room)
  })

  it('go on where a pooler has put another backend behind the connection', async () => {
    const config = { connectionString: await schemaUrl() }
    const lane = new Lane({ config, size: 1, waitMs: 10_000, queryMs: 10_000, onNotice: () => undefined, keepsStatements: true })
    onTestFinished(() => lane.end())
    const db = databaseOver(lane)
    const count = async (from: number) => (await sql<{ n: number }>`select ${from}::int + 1 as n`.execute(db)).rows[0]?.n
    const held = async () => (await sql`select from pg_prepared_statements`.execute(db)).rows.length
    for (let nth = 0; nth < 8; nth++) expect(await count(nth)).toBe(nth + 1)
    expect(await held()).toBe(1)
    await sql`deallocate all`.execute(db)
    for (let nth = 0; nth < 8; nth++) expect(await count(nth)).toBe(nth + 1)
  })

  it('go by names that their texts make: behind a pooler a backend holds those of another version, too', async () => {
    const url = await schemaUrl()
    const storage = await open({ url })
    const config = { connectionString: url }
    const lane = new Lane({ config, size: 1, waitMs: 10_000, queryMs: 10_000, onNotice: () => undefined, keepsStatements: true })
    onTestFinished(() => lane.end())
    const db = databaseOver(lane)
    const log = createLogStore({ db, reads: lane, writes: lane, messageIdMax: 1_000, hasAutovacuum: true })
    const writer = await openWriter({ ...storage, log })
    const roomId = await makeRoom(writer, [1])
    await writer.write(post(roomId, 1, 'a'))
    expect(await log.listSummaries(1)).toHaveLength(1)
    const { rows } = await sql<{ name: string; statement: string }>`select name, statement from pg_prepared_statements`.execute(
      db,
    )
    expect(rows.length).toBeGreaterThanOrEqual(3)
    for (const { name, statement } of rows) expect(name).toBe(statementName(statement))
  })
})

describeServer('PostgreSQL: starting', () => {
  it('migrates once when several nodes start at once', async () => {
    const url = await schemaUrl()
    const storages = await Promise.all(Array.from({ length: 5 }, () => open({ url })))
    const journals = await Promise.all(storages.map((storage) => storage.log.openJournal()))
    expect(journals.map((journal) => journal.number).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5])
    await expect(open({ url })).resolves.toBeDefined()
  })

  it('migrates again after a deadlock', async () => {
    const url = await schemaUrl()
    const [watcher, holder, other] = [await connect(url), await connect(url), await connect(url)]
    // Whoever looks for a deadlock once it is there is ended: that is to be the migration.
    await other.query("set deadlock_timeout = '1h'")
    const { rows } = await other.query<{ pid: number }>('select pg_backend_pid() as pid')
    await other.query('begin')
    await other.query('create table migrations (name text primary key, at timestamptz)')
    await holder.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
    const opening = open({ url })
    const isForLock = "wait_event_type = 'Lock' and query like 'select pg_advisory_xact_lock%'"
    await waitFor(watcher, isForLock)
    // Behind the migration, which then waits for our table while we wait for its lock.
    const waiting = other.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
    await waitFor(watcher, `pid = ${rows[0]!.pid} and ${isForLock}`)
    await holder.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK])
    await waiting
    await other.query('rollback')
    await expect((await opening).ping()).resolves.toBeUndefined()
  })

  it('refuses a database that is not UTF8, and says so', async () => {
    const { url, drop } = await makeDatabase("encoding 'SQL_ASCII' locale 'C' template template0")
    onTestFinished(drop)
    await expect(openPostgresStorage({ url })).rejects.toThrow("the database's encoding is SQL_ASCII")
  })

  it('refuses a database whose transactions are not read committed, and says so', async () => {
    const url = new URL(await schemaUrl())
    url.searchParams.set('options', `${url.searchParams.get('options')} -c default_transaction_isolation=serializable`)
    await expect(openPostgresStorage({ url: url.href })).rejects.toThrow("is 'serializable'")
  })

  it('is unavailable where no server answers', async () => {
    await expect(openPostgresStorage({ url: 'postgres://nobody@127.0.0.1:1/none' })).rejects.toBeInstanceOf(StorageUnavailable)
  })
})

describeServer('PostgreSQL: a link that breaks', () => {
  it('tells what became of a commit whose reply was lost: it stands, once', async () => {
    const { linked, direct, link } = await openBoth()
    const writer = await openWriter(linked)
    const roomId = await makeRoom(writer, [1])
    const position = writer.next()
    const batch = [post(roomId, 1, 'once'), add(roomId, 2)]
    link.loseNextReply()
    await expect(writer.write(...batch)).rejects.toBeInstanceOf(CommitUncertain)
    expect(await direct.log.listMessages(roomId, PAGE)).toHaveLength(1)
    const { facts, outcomes } = await linked.log.append(writer.journal, position, batch)
    expect(outcomes.map(statusOf)).toEqual(['done', 'done'])
    expect(facts.map((fact) => fact.stamp.position)).toEqual([position, position + 1, position + 2])
    expect(await direct.log.listMessages(roomId, PAGE)).toHaveLength(1)
  })

  it('[A15] closes a journal only when the commit is over that a lost link left at work in the server', async () => {
    const { linked, direct, link, url } = await openBoth()
    const writer = await openWriter(linked)
    const roomId = await makeRoom(writer, [1])
    const position = writer.next()
    const other = await connect(url)
    await other.query('begin')
    await other.query('select from rooms where id = $1 for update', [roomId])
    const lost = expect(writer.write(post(roomId, 1, 'at work'))).rejects.toBeInstanceOf(CommitUncertain)
    await waitFor(other, "wait_event_type = 'Lock' and query like '%madang_append%'")
    link.cut()
    await lost
    let isClosed = false
    const closing = direct.log.closeJournal(writer.journal).then(() => (isClosed = true))
    await waitFor(other, "wait_event_type = 'Lock' and query like 'update%journals%'")
    expect([isClosed, await direct.log.readCommits(writer.journal, position - 1, 9)]).toEqual([false, []])
    await other.query('commit')
    await closing
    const standing = await direct.log.readCommits(writer.journal, position - 1, 9)
    expect(standing.map(({ firstPosition }) => firstPosition)).toEqual([position])
    expect(await direct.log.append(writer.journal, position, [post(roomId, 1, 'at work')])).toMatchObject(standing[0]!)
    await expect(direct.log.append(writer.journal, position + 2, [post(roomId, 1, 'x')])).rejects.toBeInstanceOf(JournalClosed)
    expect(await direct.log.listMessages(roomId, PAGE)).toHaveLength(1)
  })

  it('stores now what was lost on its way to the server', async () => {
    const { linked, direct, link } = await openBoth({ statementTimeoutMs: 2_000 })
    const writer = await openWriter(linked)
    const roomId = await makeRoom(writer, [1])
    link.freeze()
    await expect(writer.write(post(roomId, 1, 'late'))).rejects.toBeInstanceOf(CommitUncertain)
    expect(await direct.log.listMessages(roomId, PAGE)).toHaveLength(0)
    link.mend()
    expect(await writer.ask(post(roomId, 1, 'late'))).toBe('done')
    expect(await direct.log.listMessages(roomId, PAGE)).toHaveLength(1)
  })

  it('is unavailable while the server is away and works again by itself', async () => {
    const { linked, link } = await openBoth({ connectTimeoutMs: 3_000 })
    const writer = await openWriter(linked)
    const roomId = await makeRoom(writer, [1])
    await Promise.all([linked.ping(), linked.ping(), linked.ping()])
    link.cut()
    await expect(linked.ping()).rejects.toBeInstanceOf(StorageUnavailable)
    await expect(linked.log.findRoom(roomId)).rejects.toBeInstanceOf(StorageUnavailable)
    await expect(writer.write(post(roomId, 1, 'x'))).rejects.toBeInstanceOf(StorageUnavailable)
    await expect(
      linked.directory.createSpace({ name: 'n', description: null, iconUrl: null, ownerId: 1 }),
    ).rejects.toBeInstanceOf(StorageUnavailable)
    link.mend()
    await linked.ping()
    expect(await writer.ask(post(roomId, 1, 'x'))).toBe('done')
  })

  it('survives a server that ends its connections, idle or at work', async () => {
    const notices: string[] = []
    const { linked, url } = await openBoth({ onNotice: (text) => notices.push(text) })
    const writer = await openWriter(linked)
    const roomId = await makeRoom(writer, [1])
    const admin = await connect(url)
    await admin.query('begin')
    await admin.query('select from rooms where id = $1 for update', [roomId])
    const waiting = expect(writer.write(post(roomId, 1, 'at work'))).rejects.toBeInstanceOf(CommitUncertain)
    await waitFor(admin, "wait_event_type = 'Lock'")
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${IS_OURS} and pid <> pg_backend_pid()`)
    await waiting
    await admin.query('rollback')
    expect(await writer.ask(post(roomId, 1, 'again'))).toBe('done')
    await until('a notice', () => notices.length > 0)
  })
})

describeServer('PostgreSQL: limits', () => {
  it('leaves a commit uncertain that waits longer than a statement may, and stores it later', async () => {
    const { direct, linked, url } = await openBoth({ statementTimeoutMs: 2_000 })
    const writer = await openWriter(linked)
    const roomId = await makeRoom(writer, [1])
    const other = await connect(url)
    await other.query('begin')
    await other.query('select from rooms where id = $1 for update', [roomId])
    await expect(writer.write(post(roomId, 1, 'x'))).rejects.toBeInstanceOf(CommitUncertain)
    await other.query('commit')
    expect(await writer.ask(post(roomId, 1, 'x'))).toBe('done')
    expect(await direct.log.listMessages(roomId, PAGE)).toHaveLength(1)
  })

  it('appends while its readers wait for connections, of which a full pool gives none', async () => {
    const { direct, linked, url } = await openBoth({ poolSize: 2, connectTimeoutMs: 3_000 })
    const writer = await openWriter(linked)
    const roomId = await makeRoom(writer, [1])
    const other = await connect(url)
    await other.query('begin; lock table users')
    const readers = Array.from({ length: 4 }, () => linked.directory.findUser(1))
    const refused = Promise.all(readers.slice(2).map((reader) => expect(reader).rejects.toBeInstanceOf(StorageUnavailable)))
    expect(await writer.ask(post(roomId, 1, 'x'))).toBe('done')
    await refused
    await other.query('commit')
    await Promise.all(readers.slice(0, 2))
    expect(await direct.log.listMessages(roomId, PAGE)).toHaveLength(1)
  })
})

describeServer('PostgreSQL: errors of the server', () => {
  /** Lets the server refuse the next row of the log with this SQLSTATE, once. */
  async function failOnce(url: string, state: string): Promise<void> {
    const client = await connect(url)
    await client.query(`
      create sequence failures;
      create function fail() returns trigger language plpgsql as $$
      begin
        if nextval('failures') = 1 then raise sqlstate '${state}'; end if;
        return new;
      end $$;
      create trigger fail before insert on log for each row execute function fail()`)
  }

  it('tries again after a deadlock', async () => {
    const url = await schemaUrl()
    const writer = await openWriter(await open({ url }))
    const roomId = await makeRoom(writer, [1])
    await failOnce(url, '40P01')
    expect(await writer.ask(post(roomId, 1, 'x'))).toBe('done')
  })

  it.each([
    ['53100', StorageUnavailable, 'a full disk'],
    ['22021', BatchRejected, 'a text that it does not take'],
    ['57014', CommitUncertain, 'its own limit on time'],
  ])('answers SQLSTATE %s with %o: %s', async (state, kind) => {
    const url = await schemaUrl()
    const storage = await open({ url })
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await failOnce(url, state)
    const error: unknown = await writer.write(post(roomId, 1, 'x')).catch((caught: unknown) => caught)
    expect(Object(error).constructor).toBe(kind)
    expect(await storage.log.listMessages(roomId, PAGE)).toEqual([])
    expect(await writer.ask(post(roomId, 1, 'x'))).toBe('done')
  })
})

/** Resolves once a backend of ours is in this state. */
async function waitFor(client: pg.Client, condition: string): Promise<void> {
  for (;;) {
    // A transaction sees the activity as it was when it first looked.
    await client.query('select pg_stat_clear_snapshot()')
    const { rowCount } = await client.query(`select from pg_stat_activity where ${IS_OURS} and ${condition}`)
    if (rowCount !== 0) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
