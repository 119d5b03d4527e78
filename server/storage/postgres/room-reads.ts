/** What is read of rooms and of who is in them. A deleted room is in none of it. */
import { sql } from 'kysely'
import type { Attachment, UserId } from '../../core/model.ts'
import type { LogStore, Membership, RoomSummary } from '../storage.ts'
import type { Database } from './database.ts'
import { toMember, toRoom } from './rows.ts'
import type { Tables } from './tables.ts'

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

export function createRoomReads(db: Database): RoomReads {
  const rooms = db.selectFrom('rooms').selectAll('rooms').where('rooms.deleted_at', 'is', null).orderBy('rooms.id')
  const members = membersOf(db).selectAll('members')
  return {
    findRoom: async (roomId) => {
      const row = await rooms.where('rooms.id', '=', roomId).executeTakeFirst()
      return row === undefined ? null : toRoom(row)
    },
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
    findProject: async (projectId) => (await rooms.where('rooms.project_id', '=', projectId).executeTakeFirst())?.id ?? null,
    findMember: async (roomId, userId) => {
      const query = members.where('members.room_id', '=', roomId).where('members.user_id', '=', userId)
      const row = await query.executeTakeFirst()
      return row === undefined ? null : toMember(row)
    },
    listMembershipsOf: (userId) => listMembershipsOf(db, userId),
    listSummaries: (userId) => listSummaries(db, userId),
    listMembers: async (roomId) => {
      const rows = await members.where('members.room_id', '=', roomId).orderBy('members.id').execute()
      return rows.map(toMember)
    },
  }
}

/** The present members of present rooms. */
export function membersOf(db: Database) {
  return db
    .selectFrom('members')
    .innerJoin('rooms', 'rooms.id', 'members.room_id')
    .where('rooms.deleted_at', 'is', null)
    .where('members.left_at', 'is', null)
}

async function listMembershipsOf(db: Database, userId: UserId): Promise<Membership[]> {
  const rows = await db
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
    .execute()
  return rows.map((row) => ({
    member: toMember(row),
    lastStamp: { journal: row.last_journal, position: row.last_position },
    joinedStamp: { journal: row.journal, position: row.position },
    leftStamp: row.left_at === null ? null : { journal: row.left_journal, position: row.left_position },
  }))
}

/** Columns side by side: as JSON a thousand rooms take twice as long. */
interface SummaryRow extends Pick<Tables['rooms'], 'id' | 'kind' | 'name' | 'ordinal' | 'updated_at'> {
  marker_ordinal: number
  members: number
  other: number | null
  deleted: number
  /** Null where the room has no message; all that follows is then. */
  message_id: number | null
  author_id: number
  content: string
  file_url: string | null
  attachments: Attachment[] | null
  created_at: number
}

/**
 * Each room looks up what it needs by itself, by way of the primary keys. Older messages are looked for only where the newest was
 * deleted: without statistics, as in a young database or PGlite, the planner reads them all.
 */
async function listSummaries(db: Database, userId: UserId): Promise<RoomSummary[]> {
  const { rows } = await sql<SummaryRow>`
    select r.id, r.kind, r.name, r.ordinal, r.updated_at, m.marker_ordinal, c.members, c.other, d.deleted,
      l.message_id, l.author_id, l.content, l.file_url, l.attachments, l.created_at
    from members m
    join rooms r on r.id = m.room_id and r.deleted_at is null
    cross join lateral (
      select count(*) as members, min(o.user_id) filter (where o.user_id <> m.user_id) as other
      from members o where o.room_id = m.room_id and o.left_at is null
    ) c
    left join lateral (
      select * from messages where room_id = r.id and seq = r.last_message_seq and deleted_at is null
      union all
      (select * from messages where room_id = r.id and deleted_at is null order by message_id desc limit 1)
      limit 1
    ) l on true
    cross join lateral (
      select count(*) as deleted from log where room_id = m.room_id and seq > m.marker_seq and deleted_at is not null
    ) d
    where m.user_id = ${userId} and m.left_at is null
  `.execute(db)
  return rows.map((row) => ({
    room: { id: row.id, kind: row.kind, name: row.name, ordinal: row.ordinal, updatedAt: row.updated_at },
    markerOrdinal: row.marker_ordinal,
    memberCount: row.members,
    otherUserId: row.other,
    lastMessage: row.message_id === null ? null : lastIn(row, row.message_id),
    deletedAfterMarker: row.deleted,
  }))
}

function lastIn({ author_id, content, file_url, attachments, created_at }: SummaryRow, id: number): RoomSummary['lastMessage'] {
  return { id, authorId: author_id, content, fileUrl: file_url, attachments: attachments ?? [], createdAt: created_at }
}
