/** What only this adapter's index has: stretches of a long log, and the choice between going through it and asking the index. */
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { foldText } from '../../core/texts.ts'
import { StorageUnavailable, type Storage } from '../storage.ts'
import { gramsOf, gramsToFind, hasGrams, STRETCH } from './grams.ts'
import { openEmbeddedStorage } from './index.ts'
import { makeStartedDir } from './testing.ts'

const ROOM = 7

/** A room whose log holds these messages by seq and nothing between them, all indexed; and so many behind them that are not. */
async function openLongRoom(texts: Map<number, string>, unindexed = 0): Promise<Storage> {
  const { dataDir, remove } = await makeStartedDir()
  const storage = await openEmbeddedStorage({ dataDir })
  onTestFinished(async () => {
    await storage.close()
    await remove()
  })
  const client = new pg.Client({ host: dataDir, user: 'postgres', database: 'postgres' })
  await client.connect()
  await client.query(
    `insert into rooms (id, kind, rule, name, head, last_at, created_at, updated_at) values ($1, 'group', 'peers', '', $2, 0, 0, 0)`,
    [ROOM, Math.max(...texts.keys())],
  )
  await client.query(
    `insert into log (room_id, seq, type, journal, position, at, user_id, message_id, ordinal, kind, content)
    select $1, seq, 'message.posted', 1, seq, 0, 1, seq, seq, 'text', content from unnest($2::bigint[], $3::text[]) t (seq, content)`,
    [ROOM, [...texts.keys()], [...texts.values()]],
  )
  while (await storage.log.indexNext(ROOM, 500));
  await client.query(
    `insert into log (room_id, seq, type, journal, position, at, user_id, message_id, ordinal, kind, content)
    select room_id, seq + n, type, 1, seq + n, 0, 1, seq + n, seq + n, 'text', 'later ' || (n + 1)
    from (select * from log where room_id = $1 order by seq desc limit 1) l, generate_series(1, $2) n`,
    [ROOM, unindexed],
  )
  await client.query('update rooms set head = head + $2 where id = $1', [ROOM, unindexed])
  await client.end()
  return storage
}

describe('the search index', () => {
  it('[P11] finds a rare word in every stretch of a long log, newest first, by page', async () => {
    const texts = new Map<number, string>()
    for (const seq of [1, 2, STRETCH - 1, STRETCH, STRETCH + 1, 3 * STRETCH, 5 * STRETCH, 9 * STRETCH - 1, 9 * STRETCH + 3])
      texts.set(seq, `드문 말 ${seq}`)
    for (let seq = 9 * STRETCH + 4; seq < 9 * STRETCH + 4_000; seq++) texts.set(seq, `흔한 말 ${seq}`)
    const { log } = await openLongRoom(texts)
    const find = async (text: string, offset: number, limit: number) =>
      (await log.searchMessages(ROOM, text, { offset, limit })).map((message) => message.seq)
    const rare = [...texts.keys()].filter((seq) => texts.get(seq)?.startsWith('드문')).toReversed()
    expect(await find('드문', 0, 50)).toEqual(rare)
    expect(await find('문', 0, 50)).toEqual(rare)
    for (let offset = 0; offset <= rare.length; offset += 2) {
      expect(await find('드문 말', offset, 2)).toEqual(rare.slice(offset, offset + 2))
    }
    expect(await find('흔한 말', 3_990, 20)).toEqual([
      9 * STRETCH + 9,
      9 * STRETCH + 8,
      9 * STRETCH + 7,
      9 * STRETCH + 6,
      9 * STRETCH + 5,
      9 * STRETCH + 4,
    ])
    expect(await find('없는 말', 0, 50)).toEqual([])
  })
})

describe('an index that is far behind', () => {
  it('[P11] answers what the newest 100,000 messages tell, and says where that is not enough', { timeout: 60_000 }, async () => {
    const { log } = await openLongRoom(new Map([[1, 'old']]), 100_500)
    const page = { offset: 0, limit: 3 }
    expect((await log.searchMessages(ROOM, 'later 1', page)).map(({ seq }) => seq)).toEqual([100_501, 100_500, 100_499])
    await expect(log.searchMessages(ROOM, 'old', page)).rejects.toThrow(StorageUnavailable)
  })
})

describe('grams', () => {
  const message = { roomId: ROOM, seq: 5 }

  it('[P11] of a text to find are among those of every text that holds it', () => {
    const text = foldText('회의 자료.PDF 100% 🎉 Ångström, and more than sixteen pairs of letters in this one')
    const grams = new Set(gramsOf(message, text))
    const letters = Array.from(text)
    for (let from = 0; from < letters.length; from++) {
      for (let to = from + 1; to <= letters.length; to++) {
        const asked = gramsToFind(ROOM, [1, 0], letters.slice(from, to).join(''))
        expect(asked.length).toBeLessThanOrEqual(16)
        expect(asked.filter((ofStretches) => !ofStretches.some((gram) => grams.has(gram)))).toEqual([])
        expect(
          gramsToFind(ROOM, [1], letters.slice(from, to).join(''))
            .flat()
            .filter((gram) => grams.has(gram)),
        ).toEqual([])
      }
    }
  })

  it('are 32-bit integers, other ones in another room or stretch', () => {
    const of = (roomId: number, seq: number) => gramsOf({ roomId, seq }, '회의')
    const all = [of(1, 1), of(2, 1), of(2 ** 32 + 1, 1), of(1, STRETCH)].flat()
    expect(new Set(all).size).toBe(12)
    for (const gram of all) expect(gram).toBe(gram | 0)
    expect(of(1, STRETCH - 1)).toEqual(of(1, 1))
  })

  it('do not cross from a text to the name of a file', () => {
    expect(gramsOf(message, 'abAcd')).toEqual([...gramsOf(message, 'ab'), ...gramsOf(message, 'cd')])
  })

  it('know nothing of one letter, where that is no word', () => {
    expect(['a', '1', '', 'é'].map(hasGrams)).toEqual([false, false, false, false])
    expect(['가', '字', 'あ', '🎉', 'ab'].map(hasGrams)).toEqual([true, true, true, true, true])
  })
})
