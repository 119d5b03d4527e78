/** A message takes 20 different reactions (`limits.reactionKinds`). Shape of the functions: 0002-events. */
export const reactionKinds = `
create or replace function madang_react(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room rooms;
  v_row log;
  v_message bigint := (e->>'messageId')::bigint;
  v_reaction text := e->>'reaction';
begin
  select * into v_room from rooms where id = (e->>'roomId')::bigint and deleted_at is null;
  if not found then return '"room_not_found"'; end if;
  v_row.room_id := v_room.id;
  v_row.user_id := (e->>'userId')::bigint;
  v_row.actor_id := v_row.user_id;
  v_row.data := jsonb_build_object('reaction', e->'reaction');
  if not madang_is_member(v_room.id, v_row.user_id) then return '"not_a_member"'; end if;
  select seq into v_row.target_seq from log where room_id = v_room.id and message_id = v_message and deleted_at is null;
  if not found then return '"message_not_found"'; end if;
  if e->>'kind' = 'reaction.add' then
    if madang_has_all_kinds(v_room.id, v_message, v_reaction) then return '"too_many_reactions"'; end if;
    v_row.type := 'reaction.added';
    insert into reactions (room_id, message_id, user_id, reaction, seq)
    values (v_room.id, v_message, v_row.user_id, v_reaction, v_room.head + 1) on conflict do nothing;
  else
    v_row.type := 'reaction.removed';
    delete from reactions
    where room_id = v_room.id and message_id = v_message and user_id = v_row.user_id and reaction = v_reaction;
  end if;
  if not found then return '[]'; end if;
  return jsonb_build_array(madang_event(p_journal, p_now, v_row));
end $$;

-- Whether a message has as many different reactions as it may, and this one is not among them. Most are, and are found first.
create function madang_has_all_kinds(p_room bigint, p_message bigint, p_reaction text) returns boolean language plpgsql as $$
begin
  if exists (select from reactions where room_id = p_room and message_id = p_message and reaction = p_reaction collate "C") then
    return false;
  end if;
  return (select count(distinct reaction) >= 20 from reactions where room_id = p_room and message_id = p_message);
end $$;
`
