/** The rows of the tables that kysely reads and writes; migrations/0001-tables.ts says what they hold. */
import type { Generated } from 'kysely'
import type { LogRow } from '../../core/events.ts'
import type { AccountOrigin, Attachment, Role, RoomKind, RoomRule } from '../../core/model.ts'
import type { StoredOutcome } from './outcome.ts'

interface JournalTable {
  number: number
  tag: string
  last_position: number
  seen_at: number
  closed_at: number | null
}

interface CommitTable {
  journal: number
  first_position: number
  last_position: number
  at: number
  outcome: StoredOutcome
}

interface SpaceTable {
  id: number
  name: string
  description: string | null
  icon_url: string | null
  owner_id: number
  created_at: number
  updated_at: number
}

interface RoomTable {
  id: number
  kind: RoomKind
  rule: RoomRule
  name: string
  description: string | null
  space_id: number | null
  head: number
  ordinal: number
  last_journal: number
  last_position: number
  /** Of a direct room: its two, lower id first, with a blank between. */
  pair: string | null
  /** Of a project's room that is not deleted. */
  project_id: string | null
  created_at: number
  updated_at: number
  deleted_at: number | null
}

interface MemberTable {
  room_id: number
  user_id: number
  id: number
  role: Role
  nickname: string
  joined_at: number
  joined_seq: number
  marker_seq: number
  marker_ordinal: number
  marker_message_id: number | null
  moved_number: number | null
  moved_journal: number
  moved_position: number
  moved_at: number
  moved_explicit: boolean
  read_number: number | null
  read_journal: number
  read_position: number
  read_at: number | null
  read_seq: number
  read_message_id: number | null
  left_journal: number
  left_position: number
  left_at: number | null
}

interface DepartmentTable {
  id: number
  name: string
  code: string | null
  parent_id: number | null
  sort_order: number
  is_active: boolean
}

interface UserTable {
  id: number
  username: string
  username_key: string
  email: string
  full_name: string
  bio: string | null
  avatar_url: string | null
  origin: AccountOrigin
  department_id: number | null
  is_active: boolean
  password_hash: string | null
  ending: number | null
  created_at: number
  updated_at: number
}

interface LoginTable {
  sha256: string
  number: Generated<number>
  user_id: number
  username: string
  subject: string
  token: string | null
  expires_at: number | null
  is_pending: boolean
}

export interface Tables {
  settings: { name: string; value: string }
  journals: JournalTable
  commits: CommitTable
  spaces: SpaceTable
  space_members: { space_id: number; user_id: number }
  rooms: RoomTable
  members: MemberTable
  log: Pick<LogRowRecord, 'room_id' | 'seq' | 'journal' | 'position'>
  log_rows: LogRowRecord
  /** A view: the posts of log_rows. */
  messages: LogRowRecord
  attachments: { id: number; url: string; room_id: number; seq: number }
  reactions: { room_id: number; message_id: number; user_id: number; reaction: string; seq: number }
  client_keys: { at: number }
  departments: DepartmentTable
  users: UserTable
  logins: LoginTable
  registry_records: { kept_until: number | null }
  registry_leases: { until: number }
  revoked_tokens: { sha256: string; expires_at: number; ending: number }
}

/** A row of the view `log_rows`: a log row with its message as it is now. The same comes as JSON from `madang_append`. */
export interface LogRowRecord {
  room_id: number
  seq: number
  type: LogRow['type']
  journal: number
  position: number
  at: number
  user_id: number
  actor_id: number | null
  guest: boolean | null
  data: unknown
  /** From here on: of the message, where there is one. */
  message_seq: number
  message_id: number | null
  ordinal: number
  author_id: number
  kind: string
  content: string
  file_url: string | null
  created_at: number
  edited_at: number | null
  deleted_at: number | null
  attachments: Attachment[] | null
}
