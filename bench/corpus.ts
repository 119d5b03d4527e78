/** A chat of a million messages and a user with a thousand chats, put straight into the database: over HTTP it would take an hour. */
import type { Entry, LogStore, PostEntry } from '../server/storage/storage.ts'
import { openPostgresStorage } from '../server/storage/postgres/index.ts'

/** Words by how many of the large room's messages hold each. */
export const words = { rare: '찹쌀떡', scattered: '호두과자', frequent: '회의', elsewhere: '수박' }

const rareEvery = 25_000
const scatteredEvery = 1_000
const frequentEvery = 10
const batchSize = 1_000

export interface Corpus {
  /** The room of the million. */
  largeRoomId: number
  /** In the middle of it. */
  middleMessageId: number
  userId: number
}

export interface Sizes {
  messages: number
  chats: number
}

const nouns = '서버 배포 일정 점심 보고서 고객 디자인 검토 예산 계약 출장 교육 채용 화면 데이터 주문 결제 알림 사진 파일'.split(
  ' ',
)
const verbs = '확인했습니다 보냈어요 부탁드립니다 끝났습니다 시작할게요 미뤄졌어요 좋네요 필요합니다 올렸습니다 바꿨어요'.split(
  ' ',
)

/** Message number `n`; neighbours differ, as they do where people write. */
export function sentence(n: number): string {
  const pick = (list: string[], step: number) => list[Math.floor((n * step) / 7) % list.length]
  return `${specialIn(n)}${pick(nouns, 3)} ${pick(nouns, 11)} ${n} ${pick(verbs, 5)}`
}

function specialIn(n: number): string {
  if (n % rareEvery === 1) return `${words.rare} `
  if (n % scatteredEvery === 2) return `${words.scattered} `
  return n % frequentEvery === 3 ? `${words.frequent} ` : ''
}

/** Through the storage's own commands, and indexed. The server that is measured runs in development mode. */
export async function fillCorpus(url: string, userId: number, { messages, chats }: Sizes): Promise<Corpus> {
  const storage = await openPostgresStorage({ url })
  try {
    await storage.directory.markDevelopment()
    const writer = await openWriter(storage.log)
    const otherId = userId + 1
    const other = { username: `bench${otherId}`, email: `bench${otherId}@example.com`, fullName: '강서연' }
    await storage.directory.createUser({ ...other, id: otherId, passwordHash: null, origin: 'host' })
    const largeRoomId = await writer.makeRoom([userId, otherId])
    const middle = await writer.post(largeRoomId, otherId, messages, sentence)
    for (let chat = 1; chat < chats; chat++) {
      const roomId = await writer.makeRoom([userId, otherId])
      await writer.post(roomId, otherId, 20, (n) => `${words.elsewhere} ${sentence(n)}`)
    }
    await indexAll(storage.log)
    return { largeRoomId, middleMessageId: middle, userId }
  } finally {
    await storage.close()
  }
}

async function openWriter(log: LogStore) {
  const journal = await log.openJournal()
  let position = journal.lastPosition
  const append = async (entries: Entry[]) => {
    const result = await log.append(journal.number, position + 1, entries)
    position = result.lastPosition
    return result
  }

  return {
    async makeRoom(userIds: number[]): Promise<number> {
      const members = userIds.map((userId) => ({ userId, role: 'member' as const }))
      const room = { id: null, roomKind: 'group', rule: 'peers', name: '', description: null, spaceId: null } as const
      const { facts } = await append([{ kind: 'room.create', ...room, members, actorId: null }])
      return facts[0]?.roomId ?? NaN
    },
    /** The id of the message in the middle. */
    async post(roomId: number, authorId: number, count: number, text: (n: number) => string): Promise<number> {
      let middle = NaN
      for (let first = 1; first <= count; first += batchSize) {
        const numbers = Array.from({ length: Math.min(batchSize, count - first + 1) }, (_, i) => first + i)
        const { facts } = await append(numbers.map((n) => postEntry(roomId, authorId, text(n))))
        if (first <= count / 2 && facts[0]?.type === 'message.posted') middle = facts[0].message.id
      }
      return middle
    },
  }
}

function postEntry(roomId: number, authorId: number, content: string): PostEntry {
  const plain = { isGuest: false, messageKind: 'text', fileUrl: null, attachments: [], clientKey: null, bodyHash: null }
  return { kind: 'post', roomId, authorId, content, ...plain }
}

async function indexAll(log: LogStore): Promise<void> {
  for (let rooms = await log.listUnindexed(100); rooms.length > 0; rooms = await log.listUnindexed(100)) {
    for (const roomId of rooms) while (await log.indexNext(roomId, 2_000));
  }
}
