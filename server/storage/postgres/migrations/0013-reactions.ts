/** Reactions to messages, and changes of a member's role and name. Shape of the functions: 0002-events. */
export const reactions = `
-- Those that stand. seq: of the log row that added it.
create table reactions (
  room_id bigint not null,
  message_id bigint not null,
  user_id bigint not null,
  reaction text collate "C" not null,
  seq bigint not null,
  primary key (room_id, message_id, user_id, reaction)
);

create function madang_react(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room rooms;
  v_row log;
begin
  select * into v_room from rooms where id = (e->>'roomId')::bigint and deleted_at is null;
  if not found then return '"room_not_found"'; end if;
  v_row.room_id := v_room.id;
  v_row.user_id := (e->>'userId')::bigint;
  v_row.actor_id := v_row.user_id;
  v_row.data := jsonb_build_object('reaction', e->'reaction');
  if not madang_is_member(v_room.id, v_row.user_id) then return '"not_a_member"'; end if;
  select seq into v_row.target_seq from log
  where room_id = v_room.id and message_id = (e->>'messageId')::bigint and deleted_at is null;
  if not found then return '"message_not_found"'; end if;
  if e->>'kind' = 'reaction.add' then
    v_row.type := 'reaction.added';
    insert into reactions (room_id, message_id, user_id, reaction, seq)
    values (v_room.id, (e->>'messageId')::bigint, v_row.user_id, e->>'reaction', v_room.head + 1) on conflict do nothing;
  else
    v_row.type := 'reaction.removed';
    delete from reactions
    where room_id = v_room.id and message_id = (e->>'messageId')::bigint and user_id = v_row.user_id and reaction = e->>'reaction';
  end if;
  if not found then return '[]'; end if;
  return jsonb_build_array(madang_event(p_journal, p_now, v_row));
end $$;

-- With its reactions.
create function madang_delete(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_refs jsonb := madang_rewrite(e, p_journal, p_now, null);
begin
  if jsonb_typeof(v_refs) = 'array' then
    delete from reactions where room_id = (e->>'roomId')::bigint and message_id = (e->>'messageId')::bigint;
  end if;
  return v_refs;
end $$;

-- Why an entry cannot change a member's role or name; null where it can.
create function madang_refuse_change(e jsonb) returns jsonb language plpgsql as $$
declare
  v_room bigint := (e->>'roomId')::bigint;
begin
  if not exists (select from rooms where id = v_room and deleted_at is null) then return '"room_not_found"'; end if;
  if e->>'ifMember' is not null and not madang_is_member(v_room, (e->>'ifMember')::bigint) then return '"not_a_member"'; end if;
  if not madang_is_member(v_room, (e->>'userId')::bigint) then return '"not_a_member"'; end if;
  return null;
end $$;

create function madang_role_change(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_member members;
  v_refusal jsonb := madang_refuse_change(e);
begin
  if v_refusal is not null then return v_refusal; end if;
  select * into v_member from members where room_id = (e->>'roomId')::bigint and user_id = (e->>'userId')::bigint;
  if v_member.role = e->>'role' then return '[]'; end if;
  if v_member.role = 'admin' and exists (
    select from members where room_id = v_member.room_id and left_at is null and id <> v_member.id
    having count(*) > 0 and count(*) filter (where role = 'admin') = 0
  ) then
    return '"last_admin"';
  end if;
  update members set role = e->>'role' where room_id = v_member.room_id and user_id = v_member.user_id;
  return jsonb_build_array(madang_note(p_journal, p_now, v_member.room_id, 'role.changed', v_member.user_id,
    (e->>'actorId')::bigint, jsonb_build_object('role', e->'role')));
end $$;

create function madang_name_change(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_member members;
  v_refusal jsonb := madang_refuse_change(e);
begin
  if v_refusal is not null then return v_refusal; end if;
  select * into v_member from members where room_id = (e->>'roomId')::bigint and user_id = (e->>'userId')::bigint;
  if v_member.nickname = e->>'nickname' then return '[]'; end if;
  update members set nickname = e->>'nickname' where room_id = v_member.room_id and user_id = v_member.user_id;
  return jsonb_build_array(madang_note(p_journal, p_now, v_member.room_id, 'name.changed', v_member.user_id,
    (e->>'actorId')::bigint, jsonb_build_object('nickname', e->'nickname')));
end $$;

create or replace function madang_change(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
begin
  case e->>'kind'
    when 'edit' then return madang_rewrite(e, p_journal, p_now, e->>'content');
    when 'delete' then return madang_delete(e, p_journal, p_now);
    when 'reaction.add', 'reaction.remove' then return madang_react(e, p_journal, p_now);
    when 'room.create' then return madang_room_create(e, p_journal, p_now);
    when 'room.update' then return madang_room_update(e, p_journal, p_now);
    when 'room.delete' then return madang_room_delete((e->>'roomId')::bigint, (e->>'actorId')::bigint, p_journal, p_now);
    when 'member.add' then return madang_member_add(e, p_journal, p_now);
    when 'member.remove' then return madang_member_remove(e, p_journal, p_now);
    when 'role.change' then return madang_role_change(e, p_journal, p_now);
    when 'name.change' then return madang_name_change(e, p_journal, p_now);
    when 'space.join' then return madang_space_join(e, p_journal, p_now);
    when 'space.leave' then return madang_space_leave(e, p_journal, p_now);
    when 'space.delete' then return madang_space_delete(e, p_journal, p_now);
  end case;
end $$;
`
