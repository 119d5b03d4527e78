/** What files need beside their store: the sweep at the start (P10), and a word when nodes do not see the same directory (M1). */
import { every, type Clock } from '../core/clock.ts'
import type { FileStore } from '../files/file-store.ts'
import type { JournalRecord, LogStore } from '../storage/storage.ts'

export interface FileKeepingOptions {
  files: FileStore
  log: LogStore
  clock: Clock
  /** No other process has this database, so what no message has at the start is nobody's. */
  isAlone: boolean
  warn: (text: string) => void
}

export interface FileKeeping {
  /** This process's journal, which names its mark. Before `start`, and whenever it opens another one. */
  adopt(journal: JournalRecord): void
  /** Sweeps in the background, and begins to look for the other nodes' marks. */
  start(): void
  /** Removes the files of a deleted message in the background, unless it has them still. What this misses in a crash, the next sweep finds. */
  forget(urls: string[]): void
  /** Resolves when the sweep, and all that was to be forgotten, has ended. Never rejects. */
  swept(): Promise<void>
  stop(): Promise<void>
}

/** Other nodes may be receiving files; no request lasts longer than 5 minutes. */
const othersMs = 3_600_000
/** A node makes its mark right after its journal: who is without one at two looks uses another directory. */
const lookMs = 30_000

export function createFileKeeping(options: FileKeepingOptions): FileKeeping {
  const { clock, warn } = options
  const marks = createMarks(options)
  let sweeping = Promise.resolve()
  let stopLooking = () => {}
  const orWarn = (what: string, attempt: Promise<void>) =>
    attempt.catch((error: unknown) => warn(`FILES_DIR: ${what}: ${error instanceof Error ? error.message : String(error)}`))
  return {
    adopt: (journal) => void marks.own.push(markOf(journal)),
    start() {
      const before = clock.now() - (options.isAlone ? 0 : othersMs)
      sweeping = orWarn('left-over files were not removed', sweep(options, before))
      const look = () => orWarn('the nodes were not compared', marks.look())
      void look()
      stopLooking = every(clock, lookMs, look)
    },
    forget(urls) {
      const sweepingBefore = sweeping
      const forgetting = orWarn('the files of a deleted message were not removed', removeDetached(options, urls))
      sweeping = forgetting.then(() => sweepingBefore)
    },
    swept: () => sweeping,
    async stop() {
      stopLooking()
      await sweeping
      await orWarn('the mark was not removed', marks.remove())
    },
  }
}

/** What a crash, or a request that failed in mid-air, has left (P10). Nothing is removed where another database may have files. */
async function sweep({ files, log, warn }: FileKeepingOptions, before: number): Promise<void> {
  const others = await findOthers(files, log)
  if (others !== null) {
    return warn(
      `FILES_DIR is not this database's alone (it holds ${others}): left-over files there are not removed. Set FILES_DIR to a directory that no other database uses, or see docs/operations.md`,
    )
  }
  await files.removeUnfinished(before)
  for await (const names of files.listBefore(before)) await removeDetached({ files, log }, names.map(urlOf))
}

/** Those that no message has. */
async function removeDetached({ files, log }: Pick<FileKeepingOptions, 'files' | 'log'>, urls: string[]): Promise<void> {
  const kept = new Set(await log.filterAttached(urls))
  for (const url of urls) if (!kept.has(url)) await files.remove(url.slice(urlOf('').length))
}

function urlOf(name: string): string {
  return `/uploads/${name}`
}

/**
 * What in the directory may be another database's, in words; null where there is nothing. A database is known by the tag of its first
 * journal. It takes a directory without files for its own. In any other it leaves a mark too, a guest's, or the owner would take its
 * files for left-over ones at the next start.
 */
async function findOthers(files: FileStore, log: LogStore): Promise<string | null> {
  const [first] = await log.listJournals(1)
  if (first === undefined) throw new Error('this database has no journal yet')
  const [owner, guest] = [`database-${first.tag}`, `guest-${first.tag}`]
  const marks = (await files.listMarks()).filter((mark) => /^(database|guest)-/.test(mark))
  const foreign = marks.filter((mark) => mark !== owner && mark !== guest)
  const isOwner = marks.includes(owner)
  if (isOwner && foreign.length === 0) return null
  if (foreign.length === 0 && !(await hasFiles(files))) {
    await files.mark(owner)
    return null
  }
  if (!isOwner) await files.mark(guest)
  return foreign.length === 0 ? 'files without a mark' : foreign.map((mark) => `madang-${mark}`).join(', ')
}

async function hasFiles(files: FileStore): Promise<boolean> {
  for await (const names of files.listBefore(Number.POSITIVE_INFINITY)) if (names.length > 0) return true
  return false
}

function markOf({ number, tag }: JournalRecord): string {
  return `node-${number}-${tag}`
}

function createMarks({ files, log, isAlone, warn }: FileKeepingOptions) {
  const own: string[] = []
  const told = new Set<string>()
  let missing = new Set<string>()

  async function look(): Promise<void> {
    if (isAlone) return
    for (const mark of own) await files.mark(mark)
    const [open, seen] = [await log.listJournals(1), await files.listMarks()]
    const others = open.filter(({ isClosed }) => !isClosed).map(markOf)
    const unseen = others.filter((mark) => !seen.includes(mark))
    const isNews = unseen.some((mark) => missing.has(mark) && !told.has(mark))
    for (const mark of unseen) if (missing.has(mark)) told.add(mark)
    missing = new Set(unseen)
    if (isNews)
      warn(
        'FILES_DIR is not the one of other nodes of this database: their marks are not in it. Files sent there cannot be fetched here',
      )
    await forget(seen, others)
  }

  /** The marks of nodes that are gone. */
  async function forget(seen: string[], open: string[]): Promise<void> {
    const gone = seen.filter((mark) => mark.startsWith('node-') && !open.includes(mark))
    for (const mark of gone) if (!own.includes(mark)) await files.unmark(mark)
  }

  async function remove(): Promise<void> {
    if (!isAlone) for (const mark of own) await files.unmark(mark)
  }

  return { own, look, remove }
}
