/** What is read of rooms and of who is in them. A deleted room is in none of it. */
import { sql } from 'kysely'
import type { Attachment, Member, Room, RoomId, RoomKind, UserId } from '../../core/model.ts'
import type { LogStore, Membership, RoomSummary } from '../storage.ts'
import { prepareQuery, readArrays, statementName, type Database } from './database.ts'
import { gather } from './gathering.ts'
import type { Lane } from './pool.ts'
import { toMember, toRoom } from './rows.ts'

type RoomReads = Pick<
  LogStore,
  | 'findRoom'
  | 'listRoomsIn'
  | 'listRoomsOf'
  | 'findDirect'
  | 'findProject'
  | 'findMember'
  | 'listMembershipsOf'
  | 'listSummaries'
  | 'listMembers'
>

export function createRoomReads(db: Database, reads: Lane): RoomReads {
  const rooms = db.selectFrom('rooms').selectAll('rooms').where('rooms.deleted_at', 'is', null).orderBy('rooms.id')
  const findMember = gather(db, findMembers)
  return {
    findRoom: gather(db, findRooms),
    listRoomsIn: async (spaceId) => (await rooms.where('rooms.space_id', '=', spaceId).execute()).map(toRoom),
    listRoomsOf: async (userId) => {
      const query = rooms.innerJoin('members', 'members.room_id', 'rooms.id')
      const rows = await query.where('members.user_id', '=', userId).where('members.left_at', 'is', null).execute()
      return rows.map(toRoom)
    },
    findDirect: async ([one, other]) => {
      const pair = `${Math.min(one, other)} ${Math.max(one, other)}`
      return (await rooms.where('rooms.pair', '=', pair).executeTakeFirst())?.id ?? null
    },
    findProject: gather(db, findProjects),
    findMember: (roomId, userId) => findMember({ roomId, userId }),
    listMembershipsOf: (userId, roomIds) => listMembershipsOf(db, userId, roomIds),
    listSummaries: (userId) => listSummaries(reads, userId),
    listMembers: async (roomId) => (await readMembers(db, roomId)).map(toMember),
  }
}

async function findRooms(db: Database, roomIds: RoomId[]): Promise<(Room | null)[]> {
  const query = db.selectFrom('rooms').selectAll().where('deleted_at', 'is', null)
  const rows = await query.where('id', '=', sql<number>`any (${roomIds}::bigint[])`).execute()
  const found = new Map(rows.map((row) => [row.id, toRoom(row)]))
  return roomIds.map((roomId) => found.get(roomId) ?? null)
}

async function findProjects(db: Database, projectIds: string[]): Promise<(RoomId | null)[]> {
  const query = db.selectFrom('rooms').select(['id', 'project_id']).where('deleted_at', 'is', null)
  const rows = await query.where('project_id', '=', sql<string>`any (${projectIds}::text[])`).execute()
  const found = new Map(rows.map((row) => [row.project_id, row.id]))
  return projectIds.map((projectId) => found.get(projectId) ?? null)
}

interface Place {
  roomId: RoomId
  userId: UserId
}

const readMembers = prepareQuery((db, roomId: RoomId) =>
  membersOf(db).selectAll('members').where('members.room_id', '=', roomId).orderBy('members.id'),
)

const readPlaces = prepareQuery((db, roomIds: RoomId[], userIds: UserId[]) => {
  const asked = sql`select * from unnest(${roomIds}::bigint[], ${userIds}::bigint[])`
  return membersOf(db)
    .selectAll('members')
    .where(sql<boolean>`(members.room_id, members.user_id) in (${asked})`)
})

async function findMembers(db: Database, places: Place[]): Promise<(Member | null)[]> {
  const roomIds = places.map(({ roomId }) => roomId)
  const userIds = places.map(({ userId }) => userId)
  const rows = await readPlaces(db, roomIds, userIds)
  const found = new Map(rows.map((row) => [`${row.room_id} ${row.user_id}`, toMember(row)]))
  return places.map(({ roomId, userId }) => found.get(`${roomId} ${userId}`) ?? null)
}

/** The present members of present rooms. */
export function membersOf(db: Database) {
  return db
    .selectFrom('members')
    .innerJoin('rooms', 'rooms.id', 'members.room_id')
    .where('rooms.deleted_at', 'is', null)
    .where('members.left_at', 'is', null)
}

async function listMembershipsOf(db: Database, userId: UserId, roomIds?: RoomId[]): Promise<Membership[]> {
  const all = db
    .selectFrom('members')
    .innerJoin('rooms', 'rooms.id', 'members.room_id')
    .innerJoin('log as joined', (join) =>
      join.onRef('joined.room_id', '=', 'members.room_id').onRef('joined.seq', '=', 'members.joined_seq'),
    )
    .where('members.user_id', '=', userId)
    .where('rooms.deleted_at', 'is', null)
    .selectAll('members')
    .select(['rooms.last_journal', 'rooms.last_position', 'joined.journal', 'joined.position'])
    .orderBy('members.room_id')
  const asked = roomIds && all.where('members.room_id', '=', sql<number>`any (${roomIds}::bigint[])`)
  const rows = await (asked ?? all).execute()
  return rows.map((row) => ({
    member: toMember(row),
    lastStamp: { journal: row.last_journal, position: row.last_position },
    joinedStamp: { journal: row.journal, position: row.position },
    leftStamp: row.left_at === null ? null : { journal: row.left_journal, position: row.left_position },
  }))
}

/** Columns side by side: as JSON a thousand rooms take twice as long. */
type SummaryRow = [
  id: number,
  kind: RoomKind,
  name: string,
  ordinal: number,
  updatedAt: number,
  markerOrdinal: number,
  members: number,
  other: number | null,
  deleted: number,
  /** Null where the room has no message; all that follows is then. */
  messageId: number | null,
  authorId: number,
  content: string,
  fileUrl: string | null,
  attachments: Attachment[] | null,
  createdAt: number,
]

/**
 * What each room knows of itself, and its newest message by way of the primary key. Deleted messages are counted, and an older one is
 * looked for, only where there is need; in a lateral, as otherwise the planner reads the whole log where it has no statistics (a young
 * database, PGlite).
 */
const SUMMARIES = `
  select r.id, r.kind, r.name, r.ordinal, r.updated_at, m.marker_ordinal, r.member_count,
    nullif(case when r.first_member = m.user_id then r.second_member else r.first_member end, m.user_id),
    case when r.last_deleted_seq > m.marker_seq then (
      select count(*) from log where room_id = r.id and seq > m.marker_seq and deleted_at is not null
    ) else 0 end,
    l.message_id, l.author_id, l.content, l.file_url, l.attachments, l.created_at
  from members m
  join rooms r on r.id = m.room_id and r.deleted_at is null
  left join lateral (
    select * from messages where room_id = r.id and seq = case when r.last_deleted_seq < r.last_message_seq
      then r.last_message_seq
      else (select seq from messages where room_id = r.id and deleted_at is null order by message_id desc limit 1)
    end limit 1
  ) l on true
  where m.user_id = $1 and m.left_at is null
`

const SUMMARIES_NAME = statementName(SUMMARIES)

async function listSummaries(reads: Lane, userId: UserId): Promise<RoomSummary[]> {
  const rows = await readArrays<SummaryRow>(reads, { text: SUMMARIES, values: [userId], name: SUMMARIES_NAME })
  return rows.map((row) => ({
    room: { id: row[0], kind: row[1], name: row[2], ordinal: row[3], updatedAt: row[4] },
    markerOrdinal: row[5],
    memberCount: row[6],
    otherUserId: row[7],
    lastMessage: lastIn(row),
    deletedAfterMarker: row[8],
  }))
}

function lastIn(row: SummaryRow): RoomSummary['lastMessage'] {
  if (row[9] === null) return null
  return { id: row[9], authorId: row[10], content: row[11], fileUrl: row[12], attachments: row[13] ?? [], createdAt: row[14] }
}
