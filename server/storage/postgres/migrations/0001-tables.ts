/** The tables. Times are milliseconds since 1970; no foreign keys, as the locks of `madang_append` already keep these rows together. */
export const tables = `
create table settings (
  name text primary key,
  value text not null
);

-- The last number given out of each kind. Locked last, after spaces and rooms.
create table counters (
  name text primary key,
  value bigint not null
) with (fillfactor = 20);
insert into counters (name, value)
values ('ending', 0), ('journal', 0), ('member', 0), ('message', 0), ('room', 0), ('space', 0), ('user', 0);

-- fillfactor: rows that every commit updates stay on their page (HOT), so that no index grows with them.
create table journals (
  number bigint primary key,
  tag text not null,
  last_position bigint not null default 0,
  seen_at bigint not null,
  closed_at bigint
) with (fillfactor = 20);

-- What each append did, by the position it began at; madang_append says what stands in outcome.
create table commits (
  journal bigint not null,
  first_position bigint not null,
  last_position bigint not null,
  at bigint not null,
  outcome jsonb not null,
  primary key (journal, first_position)
);

create table spaces (
  id bigint primary key,
  name text not null,
  description text,
  icon_url text,
  owner_id bigint not null,
  created_at bigint not null,
  updated_at bigint not null
);
create table space_members (
  space_id bigint not null,
  user_id bigint not null,
  number bigint generated always as identity,
  primary key (space_id, user_id)
);
create index space_members_of_user on space_members (user_id, space_id);

-- A deleted room's row stays, so that its id stays taken.
create table rooms (
  id bigint primary key,
  kind text not null,
  rule text not null,
  name text not null,
  description text,
  space_id bigint,
  head bigint not null default 0,
  ordinal bigint not null default 0,
  -- Counts read.advanced, as head counts log rows.
  moves bigint not null default 0,
  last_message_id bigint,
  last_message_seq bigint not null default 0,
  -- Time and stamp of the last event, log row or read.advanced.
  last_at bigint not null,
  last_journal bigint,
  last_position bigint,
  created_at bigint not null,
  updated_at bigint not null,
  deleted_at bigint
) with (fillfactor = 50);
create index rooms_of_space on rooms (space_id) where space_id is not null;

-- The row of one who left stays, with the stamp of his removal.
create table members (
  room_id bigint not null,
  user_id bigint not null,
  id bigint not null,
  role text not null,
  nickname text not null default '',
  joined_at bigint not null,
  joined_seq bigint not null,
  marker_seq bigint not null default 0,
  marker_ordinal bigint not null default 0,
  marker_message_id bigint,
  -- The last read.advanced that moved the marker: its number in the room, stamp and time.
  moved_number bigint,
  moved_journal bigint,
  moved_position bigint,
  moved_at bigint,
  moved_explicit boolean,
  -- The last read of his own, and where his marker stood with it.
  read_number bigint,
  read_journal bigint,
  read_position bigint,
  read_at bigint,
  read_seq bigint,
  read_message_id bigint,
  left_journal bigint,
  left_position bigint,
  left_at bigint,
  primary key (room_id, user_id)
) with (fillfactor = 70);
create index members_of_user on members (user_id, room_id) where left_at is null;
-- No index on the moves: it would have to be written with every move, while a room's members are read and sorted in a moment; and
-- it begins with room_id, so that a plan made while the table is small would take it for the primary key.

-- Every event of every room. A posted message is its own row: message_id to deleted_at are set there and nowhere else.
create table log (
  room_id bigint not null,
  seq bigint not null,
  type text not null,
  journal bigint not null,
  position bigint not null,
  at bigint not null,
  user_id bigint not null,
  -- Null in a post's row too: its author is the one who did it.
  actor_id bigint,
  message_id bigint,
  ordinal bigint,
  -- Of a post: no marker moved with it.
  guest boolean,
  kind text,
  content text,
  file_url text,
  edited_at bigint,
  deleted_at bigint,
  -- Of an edit or a deletion: the seq of its message.
  target_seq bigint,
  -- Of other events: the member added, the new role, the new name.
  data jsonb,
  primary key (room_id, seq)
);
create unique index log_messages on log (room_id, message_id) where message_id is not null;
create index log_deleted on log (room_id, seq) where deleted_at is not null;

-- The log with each row's message as it is now.
create view log_rows as
select l.room_id, l.seq, l.type, l.journal, l.position, l.at, l.user_id, l.actor_id, l.guest, l.data,
  coalesce(m.seq, l.seq) as message_seq,
  coalesce(m.message_id, l.message_id) as message_id,
  coalesce(m.ordinal, l.ordinal) as ordinal,
  coalesce(m.user_id, l.user_id) as author_id,
  coalesce(m.kind, l.kind) as kind,
  coalesce(m.content, l.content) as content,
  coalesce(m.file_url, l.file_url) as file_url,
  coalesce(m.at, l.at) as created_at,
  coalesce(m.edited_at, l.edited_at) as edited_at,
  coalesce(m.deleted_at, l.deleted_at) as deleted_at
from log l left join log m on m.room_id = l.room_id and m.seq = l.target_seq;

create table client_keys (
  room_id bigint not null,
  author_id bigint not null,
  client_key text not null,
  body_hash text not null,
  seq bigint not null,
  at bigint not null,
  primary key (room_id, author_id, client_key)
);
-- For prune: rows stand in order of time, so a summary per page range is enough, and costs a post nothing.
create index client_keys_by_time on client_keys using brin (at);

create table users (
  id bigint primary key,
  username text not null,
  -- The username after NFC, which is what is unique.
  username_key text not null unique,
  email text not null unique,
  full_name text not null,
  bio text,
  avatar_url text,
  origin text not null,
  is_active boolean not null default true,
  password_hash text,
  -- Number of the deactivation, as in revoked_tokens.
  ending bigint,
  created_at bigint not null,
  updated_at bigint not null
);
create index users_by_ending on users (ending) where ending is not null;

-- ending: what ends sessions is numbered by a counter whose row is locked until the commit, so that who has seen a number has
-- seen all below it.
create table revoked_tokens (
  sha256 text primary key,
  expires_at bigint not null,
  ending bigint not null
);
create index revoked_tokens_by_ending on revoked_tokens (ending);
`
