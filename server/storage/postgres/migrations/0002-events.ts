/**
 * One SQL function per structural entry (all but posts and reads): here what they share, and edits and deletions. Each takes the
 * entry as JSON, the journal and the time, under the locks that `madang_append` holds, and returns either a JSON string, the
 * refusal, or an array of [room id, seq]: the log rows it made. A statement of a VOLATILE function sees what was committed before
 * that statement, so the checks see what happened while the locks were waited for.
 */
export const events = `
-- In plpgsql, like all that follows: its plans are kept, where a function in SQL is parsed at every call.
create function madang_now() returns bigint language plpgsql as $$
begin
  return floor(extract(epoch from clock_timestamp()) * 1000)::bigint;
end $$;

-- The next free number: ids that requests made up are skipped.
create function madang_next_id(p_counter text) returns bigint language plpgsql as $$
declare
  v_next bigint;
begin
  loop
    update counters set value = value + 1 where name = p_counter returning value into v_next;
    continue when p_counter = 'user' and exists (select from users where id = v_next);
    continue when p_counter = 'room' and exists (select from rooms where id = v_next);
    return v_next;
  end loop;
end $$;

create function madang_is_member(p_room bigint, p_user bigint) returns boolean language plpgsql as $$
begin
  return exists (select from members where room_id = p_room and user_id = p_user and left_at is null);
end $$;

-- Writes one log row with the journal's next position and the room's next seq.
create function madang_event(p_journal bigint, p_now bigint, p_row log) returns jsonb language plpgsql as $$
begin
  update journals set last_position = last_position + 1 where number = p_journal returning last_position into p_row.position;
  update rooms set
    head = head + 1, last_at = greatest(last_at, p_now), last_journal = p_journal, last_position = p_row.position
  where id = p_row.room_id
  returning head, last_at into p_row.seq, p_row.at;
  p_row.journal := p_journal;
  insert into log select p_row.*;
  return jsonb_build_array(p_row.room_id, p_row.seq);
end $$;

-- An event that has no message of its own.
create function madang_note(p_journal bigint, p_now bigint, p_room bigint, p_type text, p_user bigint, p_actor bigint, p_data jsonb)
returns jsonb language plpgsql as $$
declare
  v_row log;
begin
  v_row.room_id := p_room;
  v_row.type := p_type;
  v_row.user_id := p_user;
  v_row.actor_id := p_actor;
  v_row.data := p_data;
  return madang_event(p_journal, p_now, v_row);
end $$;

-- Edits a message, or deletes it where p_content is null.
create function madang_rewrite(e jsonb, p_journal bigint, p_now bigint, p_content text) returns jsonb language plpgsql as $$
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
    edited_at = case when p_content is null then edited_at else greatest(p_now, v_room.last_at) end,
    deleted_at = case when p_content is null then greatest(p_now, v_room.last_at) end
  where room_id = v_room.id and seq = v_message.seq;
  v_row.room_id := v_room.id;
  v_row.type := case when p_content is null then 'message.deleted' else 'message.edited' end;
  v_row.user_id := v_message.user_id;
  v_row.actor_id := (e->>'actorId')::bigint;
  v_row.target_seq := v_message.seq;
  return jsonb_build_array(madang_event(p_journal, p_now, v_row));
end $$;
`
