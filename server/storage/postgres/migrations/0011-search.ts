/** The search index: the texts of messages, folded and cut up by grams.ts, so that no locale of the database has a say. */
export const search = `
-- By room and seq of a message. As of the room's row in search_progress: what the log says of messages behind that seq, its edits
-- and deletions too, is not in here yet.
create table search_texts (
  room_id bigint not null,
  seq bigint not null,
  folded text collate "C" not null,
  grams int[] not null,
  primary key (room_id, seq)
);
-- Hashes do not compress.
alter table search_texts alter column grams set storage external;
-- What waits in the pending list (kB) is sorted before it goes in: six times as fast as one gram at a time, and a search reads a
-- list of this length in 2 ms.
create index search_texts_by_gram on search_texts using gin (grams) with (fastupdate = on, gin_pending_list_limit = 512);

create table search_progress (
  room_id bigint primary key,
  seq bigint not null
) with (fillfactor = 50);

-- For what a search must look up behind the progress; a post writes nothing into it.
create index log_rewrites on log (room_id, seq) where target_seq is not null;
`
