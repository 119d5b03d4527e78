/** Coming and going: members of a room, and of a space in each of its rooms (A11). Shape of the functions: 0002-events. */
export const membership = `
-- Lets one user in, with a new entry. Of who comes back, the marker and the time of his last read are kept; his moves belong to
-- the entry that ended.
create function madang_enter(p_journal bigint, p_now bigint, p_room bigint, p_user bigint, p_role text, p_read_all boolean, p_actor bigint)
returns jsonb language plpgsql as $$
declare
  v_room rooms;
  v_before members;
  v_member members;
begin
  select * into v_room from rooms where id = p_room;
  delete from members where room_id = p_room and user_id = p_user returning * into v_before;
  v_member.room_id := p_room;
  v_member.user_id := p_user;
  v_member.marker_seq := coalesce(v_before.marker_seq, 0);
  v_member.marker_ordinal := coalesce(v_before.marker_ordinal, 0);
  v_member.marker_message_id := v_before.marker_message_id;
  v_member.read_at := v_before.read_at;
  if p_read_all and v_room.last_message_id is not null then
    v_member.marker_seq := v_room.last_message_seq;
    v_member.marker_ordinal := v_room.ordinal;
    v_member.marker_message_id := v_room.last_message_id;
  end if;
  v_member.id := madang_next_id('member');
  v_member.role := p_role;
  v_member.nickname := '';
  v_member.joined_at := greatest(p_now, v_room.last_at);
  v_member.joined_seq := v_room.head + 1;
  insert into members select v_member.*;
  return madang_note(p_journal, p_now, p_room, 'member.added', p_user, p_actor, jsonb_build_object(
    'id', v_member.id, 'role', v_member.role, 'nickname', v_member.nickname,
    'joinedAt', v_member.joined_at, 'joinedSeq', v_member.joined_seq,
    'seq', v_member.marker_seq, 'ordinal', v_member.marker_ordinal, 'readAt', v_member.read_at));
end $$;

-- When the last admin went: the longest-standing sub-admin, else member, becomes admin (A13). Nothing in rooms of other rules.
create function madang_promote(p_journal bigint, p_now bigint, p_room bigint, p_actor bigint) returns jsonb language plpgsql as $$
declare
  v_user bigint;
begin
  if not exists (select from rooms where id = p_room and rule in ('admins', 'roles'))
    or exists (select from members where room_id = p_room and left_at is null and role = 'admin') then
    return '[]';
  end if;
  select user_id into v_user from members where room_id = p_room and left_at is null
  order by role <> 'sub-admin', id limit 1;
  if not found then return '[]'; end if;
  update members set role = 'admin' where room_id = p_room and user_id = v_user;
  return jsonb_build_array(madang_note(p_journal, p_now, p_room, 'role.changed', v_user, p_actor, '{"role": "admin"}'));
end $$;

-- Takes one member out; his row stays with the stamp of his removal.
create function madang_exit(p_journal bigint, p_now bigint, p_room bigint, p_user bigint, p_actor bigint)
returns jsonb language plpgsql as $$
declare
  v_role text;
  v_refs jsonb;
begin
  v_refs := jsonb_build_array(madang_note(p_journal, p_now, p_room, 'member.removed', p_user, p_actor, null));
  update members m set left_journal = l.journal, left_position = l.position, left_at = l.at
  from log l
  where m.room_id = p_room and m.user_id = p_user and l.room_id = p_room and l.seq = (v_refs->0->>1)::bigint
  returning m.role into v_role;
  if v_role = 'admin' then v_refs := v_refs || madang_promote(p_journal, p_now, p_room, p_actor); end if;
  return v_refs;
end $$;

create function madang_member_add(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room bigint := (e->>'roomId')::bigint;
  v_user bigint := (e->>'userId')::bigint;
begin
  if not exists (select from rooms where id = v_room and deleted_at is null) then return '"room_not_found"'; end if;
  if e->>'ifMember' is not null and not madang_is_member(v_room, (e->>'ifMember')::bigint) then return '"not_a_member"'; end if;
  if madang_is_member(v_room, v_user) then return '"already_a_member"'; end if;
  return jsonb_build_array(
    madang_enter(p_journal, p_now, v_room, v_user, e->>'role', e->>'read' = 'all', (e->>'actorId')::bigint));
end $$;

create function madang_member_remove(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room bigint := (e->>'roomId')::bigint;
  v_user bigint := (e->>'userId')::bigint;
begin
  if not exists (select from rooms where id = v_room and deleted_at is null) then return '"room_not_found"'; end if;
  if e->>'ifMember' is not null and not madang_is_member(v_room, (e->>'ifMember')::bigint) then return '"not_a_member"'; end if;
  if not madang_is_member(v_room, v_user) then return '"not_a_member"'; end if;
  return madang_exit(p_journal, p_now, v_room, v_user, (e->>'actorId')::bigint);
end $$;

create function madang_space_join(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_space spaces;
  v_user bigint := (e->>'userId')::bigint;
  v_room bigint;
  v_refs jsonb := '[]';
begin
  select * into v_space from spaces where id = (e->>'spaceId')::bigint;
  if not found then return '"space_not_found"'; end if;
  insert into space_members (space_id, user_id) values (v_space.id, v_user) on conflict do nothing;
  if not found then return '"already_a_member"'; end if;
  for v_room in select id from rooms where space_id = v_space.id and deleted_at is null order by id loop
    continue when madang_is_member(v_room, v_user);
    v_refs := v_refs || jsonb_build_array(madang_enter(p_journal, p_now, v_room, v_user,
      case when v_user = v_space.owner_id then 'admin' else 'member' end, true, (e->>'actorId')::bigint));
  end loop;
  return v_refs;
end $$;

create function madang_space_leave(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_space spaces;
  v_user bigint := (e->>'userId')::bigint;
  v_room bigint;
  v_refs jsonb := '[]';
begin
  select * into v_space from spaces where id = (e->>'spaceId')::bigint;
  if not found then return '"space_not_found"'; end if;
  if v_user = v_space.owner_id then return '"owner_stays"'; end if;
  delete from space_members where space_id = v_space.id and user_id = v_user;
  if not found then return '"not_a_member"'; end if;
  for v_room in select id from rooms where space_id = v_space.id and deleted_at is null order by id loop
    continue when not madang_is_member(v_room, v_user);
    v_refs := v_refs || madang_exit(p_journal, p_now, v_room, v_user, (e->>'actorId')::bigint);
  end loop;
  return v_refs;
end $$;
`
