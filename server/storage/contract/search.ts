/** Searching: what the index holds, what it does not hold yet, and what has changed since. */
import { expect, it } from 'vitest'
import type { Message, RoomId } from '../../core/model.ts'
import type { Storage } from '../storage.ts'
import { makeCorpus } from './corpus.ts'
import { edit, makeRoom, post, postedOf, remove, room, say } from './entries.ts'
import { openWriter, type Contract, type Writer } from './harness.ts'

const PAGE = { offset: 0, limit: 200 }

export function searchContract(contract: Contract): void {
  textContract(contract)
  changeContract(contract)
  pageContract(contract)
  indexContract(contract)
  recallContract(contract)
}

async function openRoom({ open }: Contract) {
  const { storage, second } = await open()
  const writer = await openWriter(storage)
  const roomId = await makeRoom(writer, [1, 2])
  const find = async (text: string, page = PAGE) =>
    (await storage.log.searchMessages(roomId, text, page)).map((message) => message.content)
  return { storage, second, writer, roomId, find, say: (text: string) => say(writer, roomId, 1, text) }
}

async function indexAll({ log }: Storage, roomId: RoomId): Promise<void> {
  while (await log.indexNext(roomId, 500));
}

/** Expects the same before and after the room's log is in the index. */
async function inBoth(storage: Storage, roomId: RoomId, check: () => Promise<void>): Promise<void> {
  await check()
  await indexAll(storage, roomId)
  await check()
}

function textContract(contract: Contract): void {
  it('[P11] finds words of two syllables, of one, and parts of words, newest first', async () => {
    const { storage, roomId, find, say } = await openRoom(contract)
    for (const text of ['회의 자료', '점심 회의록', '회 의', '이의 회', '猫が好き', '我们开会', '🎉🎂']) await say(text)
    await inBoth(storage, roomId, async () => {
      expect(await find('회의')).toEqual(['점심 회의록', '회의 자료'])
      expect(await find('의')).toEqual(['이의 회', '회 의', '점심 회의록', '회의 자료'])
      expect(await find('의 자')).toEqual(['회의 자료'])
      expect(await find('猫')).toEqual(['猫が好き'])
      expect(await find('开会')).toEqual(['我们开会'])
      expect(await find('🎂')).toEqual(['🎉🎂'])
      expect(await find('회식')).toEqual([])
      expect(await find('회의 자료가')).toEqual([])
    })
  })

  it('[P11] takes nothing in a text for a wildcard', async () => {
    const { storage, roomId, find, say } = await openRoom(contract)
    for (const text of ['100%', '100 won', 'a_b', 'axb', 'c:\\d', 'c:d', "it's", '$1']) await say(text)
    await inBoth(storage, roomId, async () => {
      expect(await find('0%')).toEqual(['100%'])
      expect(await find('%')).toEqual(['100%'])
      expect(await find('a_b')).toEqual(['a_b'])
      expect(await find('_')).toEqual(['a_b'])
      expect(await find(':\\d')).toEqual(['c:\\d'])
      expect(await find('\\')).toEqual(['c:\\d'])
      expect(await find("t's")).toEqual(["it's"])
      expect(await find('$1')).toEqual(['$1'])
    })
  })

  it('[P11] finds spellings that differ in case, or in NFC and NFD', async () => {
    const { storage, roomId, find, say } = await openRoom(contract)
    const texts = [
      '한글',
      '한글'.normalize('NFD'),
      'Été',
      'été'.normalize('NFD'),
      'İstanbul',
      'ΟΔΟΣ',
      'οδοσα',
      'Straße',
      'Ｆｕｌｌ',
    ]
    for (const text of texts) await say(text)
    await inBoth(storage, roomId, async () => {
      for (const query of ['한글', '한글'.normalize('NFD')]) expect(await find(query)).toEqual([texts[1], texts[0]])
      for (const query of ['ÉTÉ', 'é'.normalize('NFD')]) expect(await find(query)).toEqual([texts[3], texts[2]])
      for (const query of ['İSTANBUL', 'i\u0307stanbul', 'stan']) expect(await find(query)).toEqual(['İstanbul'])
      for (const query of ['οδος', 'ΟΔΟΣ', 'οδοσ']) expect(await find(query)).toEqual(['οδοσα', 'ΟΔΟΣ'])
      for (const query of ['STRASSE', 'straße']) expect(await find(query)).toEqual(['Straße'])
      expect(await find('ｆＵ')).toEqual(['Ｆｕｌｌ'])
    })
  })

  it('[P11] finds messages by the names of their files, each name by itself', async () => {
    const { storage, writer, roomId, find, say } = await openRoom(contract)
    const file = (fileName: string) => ({ fileName, url: `/uploads/${fileName.length}`, mimeType: null, sizeBytes: 1 })
    const attachments = [file('보고서.PDF'.normalize('NFD')), file('photo.png')]
    await writer.write(
      post(roomId, 1, 'see here', { attachments }),
      post(roomId, 1, 'linked', { fileUrl: 'https://h/a/%EC%A7%80%EB%8F%84.jpg?x' }),
    )
    await say('보고')
    await inBoth(storage, roomId, async () => {
      expect(await find('보고서')).toEqual(['see here'])
      expect(await find('보고')).toEqual(['보고', 'see here'])
      expect(await find('.pdf')).toEqual(['see here'])
      expect(await find('pdfphoto')).toEqual([])
      expect(await find('herephoto')).toEqual([])
      expect(await find('지도.JPG')).toEqual(['linked'])
      const [found] = await storage.log.searchMessages(roomId, 'photo', PAGE)
      expect(found?.attachments.map(({ fileName }) => fileName)).toEqual(attachments.map(({ fileName }) => fileName))
    })
  })

  it('[A4] goes on behind a file name that says what no text can hold', async () => {
    const { storage, writer, roomId, find, say } = await openRoom(contract)
    await writer.write(post(roomId, 1, 'linked', { fileUrl: 'https://h/%00%ED%A0%80.png' }))
    await say('behind it')
    await inBoth(storage, roomId, async () => {
      expect(await find('linked')).toEqual(['linked'])
      expect(await find('behind')).toEqual(['behind it'])
    })
  })

  it('[A4] finds nothing by what no message can hold', async () => {
    const { storage, roomId, find, say } = await openRoom(contract)
    await say('a')
    await inBoth(storage, roomId, async () => {
      for (const query of ['\0', 'a\0', '\ud800', 'a'.repeat(20_000)]) expect(await find(query)).toEqual([])
    })
  })

  it('answers with whole messages, of the one room only', async () => {
    const { storage, writer, roomId, find } = await openRoom(contract)
    const otherId = await makeRoom(writer, [1])
    await writer.run(post(otherId, 1, 'a word'))
    const message = postedOf(await writer.run(post(roomId, 2, 'a word')))
    for (const id of [roomId, otherId]) await indexAll(storage, id)
    expect(await storage.log.searchMessages(roomId, 'word', PAGE)).toEqual([message])
    expect(await storage.log.searchMessages(404, 'word', PAGE)).toEqual([])
    await writer.run({ kind: 'room.delete', roomId, actorId: 1 })
    expect(await find('word')).toEqual([])
  })
}

function changeContract(contract: Contract): void {
  /** Posts, then changes; the index is brought up to date at the points that `indexed` names. */
  async function change(
    indexed: { posts: boolean; changes: boolean },
    how: (writer: Writer, message: Message) => Promise<unknown>,
  ) {
    const { storage, writer, roomId, find, say } = await openRoom(contract)
    const message = await say('the old text')
    await say('an old text that stays')
    if (indexed.posts) await indexAll(storage, roomId)
    await how(writer, message)
    if (indexed.changes) await indexAll(storage, roomId)
    return { find, say }
  }

  const states = [
    ['nothing', { posts: false, changes: false }],
    ['the post alone', { posts: true, changes: false }],
    ['the post, then the change', { posts: true, changes: true }],
    ['both at once', { posts: false, changes: true }],
  ] as const

  it.each(states)('[P11] finds an edited message by its present text, with %s indexed', async (_, indexed) => {
    const { find, say } = await change(indexed, (writer, { roomId, id }) => writer.run(edit(roomId, 1, id, 'the new one')))
    await say('new, too')
    expect(await find('new')).toEqual(['new, too', 'the new one'])
    expect(await find('old')).toEqual(['an old text that stays'])
    expect(await find('the', { offset: 0, limit: 1 })).toEqual(['the new one'])
  })

  it.each(states)('[A14] never finds a deleted message, with %s indexed', async (_, indexed) => {
    const { find } = await change(indexed, async (writer, { roomId, id }) => {
      await writer.run(edit(roomId, 1, id, 'the new one'))
      await writer.run(remove(roomId, 1, id))
    })
    expect(await find('new')).toEqual([])
    expect(await find('old')).toEqual(['an old text that stays'])
    expect(await find('old', { offset: 0, limit: 1 })).toEqual(['an old text that stays'])
    expect(await find('')).toEqual(['an old text that stays'])
  })

  it('[P11] neither doubles a message that was edited, nor lets one that was changed take the place of another', async () => {
    const { storage, writer, roomId, find, say } = await openRoom(contract)
    await say('word 1')
    const [edited, changed, deleted] = [await say('word 2'), await say('word 3'), await say('word 4')]
    await indexAll(storage, roomId)
    await writer.run(edit(roomId, 1, edited.id, 'word 2 again'))
    await writer.run(edit(roomId, 1, changed.id, 'nothing'))
    await writer.run(remove(roomId, 1, deleted.id))
    await inBoth(storage, roomId, async () => {
      expect(await find('word')).toEqual(['word 2 again', 'word 1'])
      expect(await find('word', { offset: 0, limit: 1 })).toEqual(['word 2 again'])
      expect(await find('word', { offset: 1, limit: 1 })).toEqual(['word 1'])
    })
  })

  it('[P11] keeps an edited message in its place', async () => {
    const { storage, writer, roomId, find, say } = await openRoom(contract)
    for (const text of ['word 1', 'nothing', 'word 3']) await say(text)
    const [, middle] = await storage.log.listMessages(roomId, PAGE)
    await indexAll(storage, roomId)
    await writer.run(edit(roomId, 1, middle!.id, 'word 2'))
    await say('word 4')
    const words = ['word 4', 'word 3', 'word 2', 'word 1']
    await inBoth(storage, roomId, async () => {
      expect(await find('word')).toEqual(words)
      for (const offset of [0, 1, 2, 3, 4])
        expect(await find('word', { offset, limit: 2 })).toEqual(words.slice(offset, offset + 2))
    })
  })
}

function pageContract(contract: Contract): void {
  it('[P6] pages through what is indexed and what is not, without a gap or a double', async () => {
    const { storage, writer, roomId, find } = await openRoom(contract)
    const texts = Array.from({ length: 60 }, (_, index) => (index % 3 === 0 ? `other ${index}` : `word ${index}`))
    await writer.write(...texts.slice(0, 40).map((text) => post(roomId, 1, text)))
    await storage.log.indexNext(roomId, 25)
    await writer.write(...texts.slice(40).map((text) => post(roomId, 1, text)))
    const words = texts.filter((text) => text.startsWith('word')).toReversed()
    for (let offset = 0; offset < words.length + 7; offset += 7) {
      expect(await find('WORD', { offset, limit: 7 })).toEqual(words.slice(offset, offset + 7))
    }
    expect(await find('word', { offset: 0, limit: 0 })).toEqual([])
  })

  it('[P6] begins a page at its offset, of frequent words and of rare ones, and is empty behind the last', async () => {
    const { storage, writer, roomId, find } = await openRoom(contract)
    const texts = Array.from({ length: 3_000 }, (_, index) => (index % 100 === 0 ? `rare ${index}` : `word ${index}`))
    for (let from = 0; from < texts.length; from += 1_000) {
      await writer.write(...texts.slice(from, from + 1_000).map((text) => post(roomId, 1, text)))
    }
    await inBoth(storage, roomId, async () => {
      for (const [word, offsets] of [
        ['word', [0, 1, 999, 1_500, 2_969]],
        ['rare', [0, 9, 10, 29]],
      ] as const) {
        const expected = texts.filter((text) => text.startsWith(word)).toReversed()
        for (const offset of offsets) expect(await find(word, { offset, limit: 3 })).toEqual(expected.slice(offset, offset + 3))
        expect(await find(word, { offset: expected.length, limit: 3 })).toEqual([])
      }
    })
  })
}

function indexContract(contract: Contract): void {
  it('takes at most as many rows as it is told, and says when none is left', async () => {
    const { storage, roomId, say } = await openRoom(contract)
    for (const text of ['a', 'b', 'c']) await say(text)
    const { log } = storage
    expect(await log.listUnindexed(10)).toEqual([roomId])
    expect([await log.indexNext(roomId, 2), await log.indexNext(roomId, 1), await log.indexNext(roomId, 2)]).toEqual([
      true,
      true,
      false,
    ])
    expect(await log.listUnindexed(10)).toEqual([])
    expect(await log.indexNext(roomId, 2)).toBe(false)
    await say('d')
    expect(await log.listUnindexed(10)).toEqual([roomId])
    expect(await log.indexNext(404, 2)).toBe(false)
  })

  it('lists no more rooms than asked for, and none that was deleted', async () => {
    const { storage, writer, roomId } = await openRoom(contract)
    const { outcomes } = await writer.write(room([1]), room([1]))
    expect(outcomes).toHaveLength(2)
    expect(await storage.log.listUnindexed(2)).toHaveLength(2)
    await writer.run({ kind: 'room.delete', roomId, actorId: 1 })
    const left = await storage.log.listUnindexed(10)
    expect(left).toHaveLength(2)
    expect(left).not.toContain(roomId)
    expect(await storage.log.indexNext(roomId, 10)).toBe(false)
  })

  it('lets two index one room at once, and finds every message once', async () => {
    const { storage, second, writer, roomId, find } = await openRoom(contract)
    const other = await second()
    const texts = Array.from({ length: 300 }, (_, index) => `word ${index}`)
    await writer.write(...texts.map((text) => post(roomId, 1, text)))
    const drain = async ({ log }: Storage) => {
      while (await log.indexNext(roomId, 10));
    }
    await Promise.all([drain(storage), drain(other), drain(storage)])
    expect(await storage.log.listUnindexed(10)).toEqual([])
    expect(await find('word', { offset: 0, limit: 1_000 })).toEqual(texts.toReversed())
  })

  it('[P11] is complete while the room is written to, changed and indexed', async () => {
    const { storage, writer, roomId, find } = await openRoom(contract)
    const kept: string[] = []
    const writing = { isOver: false }
    const indexing = (async () => {
      while (!writing.isOver) await storage.log.indexNext(roomId, 7)
    })()
    for (let round = 0; round < 40; round++) {
      const text = `word ${round}`
      const message = postedOf(await writer.run(post(roomId, 1, text)))
      if (round % 4 === 1) await writer.run(remove(roomId, 1, message.id))
      else kept.unshift(round % 4 === 2 ? `${text} again` : text)
      if (round % 4 === 2) await writer.run(edit(roomId, 1, message.id, `${text} again`))
      expect(await find('word')).toEqual(kept)
    }
    writing.isOver = true
    await indexing
  })
}

/** More messages than the postgres adapter goes through before it turns to its index of grams; `RECALL_SIZE=100000` takes minutes. */
const RECALL_SIZE = Number(process.env['RECALL_SIZE'] ?? 4_000)
/** Of these the index knows nothing. */
const LETTERS = ['e', 'A', 'z', '1', ' ', '%', 'é']

function recallContract(contract: Contract): void {
  it(
    '[P11] finds all that a look at every message finds, and nothing else',
    { timeout: 120_000 + RECALL_SIZE * 10 },
    async () => {
      const { storage, writer, roomId, find } = await openRoom(contract)
      const { texts, queries } = makeCorpus(RECALL_SIZE, 20_240_501)
      for (let from = 0; from < texts.length; from += 1_000) {
        await writer.write(...texts.slice(from, from + 1_000).map((text) => post(roomId, 1, text)))
      }
      // What came last is not indexed.
      for (let indexed = 0; indexed < RECALL_SIZE - 300; indexed += 500) await storage.log.indexNext(roomId, 500)
      const plain = (text: string) => text.normalize('NFC').toLowerCase()
      const all = texts.toReversed().map((text) => ({ text, plain: plain(text) }))
      for (const query of [...queries, ...LETTERS]) {
        const expected = all.filter((one) => one.plain.includes(plain(query))).map(({ text }) => text)
        const found = await find(query, { offset: 0, limit: RECALL_SIZE })
        expect(found, JSON.stringify(query)).toEqual(expected)
        expect(await find(query, { offset: 3, limit: 5 }), JSON.stringify(query)).toEqual(expected.slice(3, 8))
      }
    },
  )
}
