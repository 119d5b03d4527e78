/** What is read of rooms and of who is in them. A deleted room is in none of it. */
import { sql } from 'kysely'
import type { Room, UserId } from '../../core/model.ts'
import type { LogStore, Membership, RoomSummary } from '../storage.ts'
import type { Database } from './database.ts'
import { toMember, toMessage, toRoom, type MemberColumn, type MessageRow } from './rows.ts'
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

/** Columns of three tables side by side: as JSON a thousand rooms take twice as long. */
interface SummaryRow extends Pick<Tables['members'], MemberColumn>, Omit<MessageRow, 'message_id'> {
  /** Null where the room has no message; all of the message's columns are then. */
  message_id: number | null
  rule: Room['rule']
  name: string
  description: string | null
  space_id: number | null
  head: number
  updated_at: number
  room_kind: Room['kind']
  room_ordinal: number
  room_created_at: number
  members: number
  other: number | null
  deleted: number
}

/**
 * Each room looks up what it needs by itself, by way of the primary keys. Older messages are looked for only where the newest was
 * deleted: without statistics, as in a young database or PGlite, the planner reads them all.
 */
async function listSummaries(db: Database, userId: UserId): Promise<RoomSummary[]> {
  const { rows } = await sql<SummaryRow>`
    select m.id, m.room_id, m.user_id, m.role, m.nickname, m.joined_at, m.joined_seq, m.marker_seq, m.marker_ordinal, m.read_at,
      r.kind as room_kind, r.rule, r.name, r.description, r.space_id, r.head, r.ordinal as room_ordinal,
      r.created_at as room_created_at, r.updated_at,
      l.message_seq, l.message_id, l.ordinal, l.author_id, l.kind, l.content, l.file_url, l.attachments, l.created_at, l.edited_at,
      l.deleted_at, c.members, c.other, d.deleted
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
    room: roomIn(row),
    member: toMember(row),
    memberCount: row.members,
    otherUserId: row.other,
    lastMessage: row.message_id === null ? null : toMessage(row),
    deletedAfterMarker: row.deleted,
  }))
}

function roomIn(row: SummaryRow): Room {
  return {
    id: row.room_id,
    kind: row.room_kind,
    rule: row.rule,
    name: row.name,
    description: row.description,
    spaceId: row.space_id,
    head: row.head,
    ordinal: row.room_ordinal,
    createdAt: row.room_created_at,
    updatedAt: row.updated_at,
  }
}
