/** Attachments of messages, and what else of a message is read by itself. Shape of the functions: 0002-events. */
export const attachments = `
-- Of a post: [{id, fileName, url, mimeType, sizeBytes}], so that reading a message needs no join; null where there are none.
alter table log add column attachments jsonb;

-- Whose each address is. Not unique: an address that came twice must not keep a message from being stored.
create table attachments (
  id bigint primary key,
  url text not null,
  room_id bigint not null,
  seq bigint not null
);
create index attachments_by_url on attachments (url);
-- Changed under the lock of the counter 'message' alone, so that no append waits for it with that one missing.
insert into counters (name, value) values ('attachment', 0);

create or replace view log_rows as
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
  coalesce(m.deleted_at, l.deleted_at) as deleted_at,
  coalesce(m.attachments, l.attachments) as attachments
from log l left join log m on m.room_id = l.room_id and m.seq = l.target_seq;

-- The posts alone, as log_rows has them, by columns that the indexes hold.
create view messages as
select room_id, seq, type, journal, position, at, user_id, actor_id, guest, data, seq as message_seq, message_id, ordinal,
  user_id as author_id, kind, content, file_url, at as created_at, edited_at, deleted_at, attachments
from log where message_id is not null;

-- Numbers the files of a post and notes whose they are.
create function madang_attach(p_room bigint, p_seq bigint, p_files jsonb) returns jsonb language plpgsql as $$
declare
  v_last bigint;
  v_files jsonb;
begin
  update counters set value = value + jsonb_array_length(p_files) where name = 'attachment'
  returning value - jsonb_array_length(p_files) into v_last;
  insert into attachments (id, url, room_id, seq)
  select v_last + f.nth, f.value->>'url', p_room, p_seq from jsonb_array_elements(p_files) with ordinality f (value, nth);
  select jsonb_agg(jsonb_build_object('id', v_last + f.nth) || f.value order by f.nth) into v_files
  from jsonb_array_elements(p_files) with ordinality f (value, nth);
  return v_files;
end $$;

-- Edits a message, or deletes it where p_content is null.
create or replace function madang_rewrite(e jsonb, p_journal bigint, p_now bigint, p_content text) returns jsonb language plpgsql as $$
declare
  v_room rooms;
  v_message log;
  v_row log;
begin
  select * into v_room from rooms where id = (e->>'roomId')::bigint and deleted_at is null;
  if not found then return '"room_not_found"'; end if;
  if not madang_is_member(v_room.id, (e->>'actorId')::bigint) then return '"not_a_member"'; end if;
  select * into v_message from log where room_id = v_room.id and message_id = (e->>'messageId')::bigint and deleted_at is null;
  if not found then return '"message_not_found"'; end if;
  if v_message.user_id <> (e->>'actorId')::bigint then return '"not_the_author"'; end if;
  update log set
    content = coalesce(p_content, ''),
    file_url = case when p_content is not null then file_url end,
    attachments = case when p_content is not null then attachments end,
    edited_at = case when p_content is null then edited_at else greatest(p_now, v_room.last_at) end,
    deleted_at = case when p_content is null then greatest(p_now, v_room.last_at) end
  where room_id = v_room.id and seq = v_message.seq;
  if p_content is null and v_message.attachments is not null then
    delete from attachments where id in (select (f->>'id')::bigint from jsonb_array_elements(v_message.attachments) f);
  end if;
  v_row.room_id := v_room.id;
  v_row.type := case when p_content is null then 'message.deleted' else 'message.edited' end;
  v_row.user_id := v_message.user_id;
  v_row.actor_id := (e->>'actorId')::bigint;
  v_row.target_seq := v_message.seq;
  return jsonb_build_array(madang_event(p_journal, p_now, v_row));
end $$;
`
