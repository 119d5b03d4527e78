/** Who is in a room with whom: direct rooms, invitations of several, and all the rooms that a user ever was in. */
export const company = `
-- Of a direct room: its two, as madang_pair writes them, until one goes or a third comes.
alter table rooms add column pair text;
create unique index rooms_of_pair on rooms (pair) where pair is not null;

-- Of who left, too.
drop index members_of_user;
create index members_of_user on members (user_id, room_id);

-- Null where they are not two.
create function madang_pair(p_members jsonb) returns text language plpgsql as $$
declare
  v_one bigint := (p_members->0->>'userId')::bigint;
  v_other bigint := (p_members->1->>'userId')::bigint;
begin
  if jsonb_array_length(p_members) <> 2 or v_one = v_other then return null; end if;
  return least(v_one, v_other) || ' ' || greatest(v_one, v_other);
end $$;

create or replace function madang_room_create(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room bigint := (e->>'id')::bigint;
  v_actor bigint := (e->>'actorId')::bigint;
  v_pair text := case when e->>'roomKind' = 'direct' and e->>'spaceId' is null then madang_pair(e->'members') end;
  v_first bigint;
  v_members jsonb;
begin
  if e->>'spaceId' is not null and not exists (select from spaces where id = (e->>'spaceId')::bigint) then
    return '"space_not_found"';
  end if;
  if exists (select from rooms where id = v_room) or exists (select from rooms where pair = v_pair) then
    return '"room_exists"';
  end if;
  if v_room is null then v_room := madang_next_id('room'); end if;
  insert into rooms (id, kind, rule, name, description, space_id, pair, last_at, created_at, updated_at)
  values (v_room, e->>'roomKind', e->>'rule', e->>'name', e->>'description', (e->>'spaceId')::bigint, v_pair, p_now, p_now, p_now);
  v_first := madang_first_members(e, v_room, p_now);
  select coalesce(jsonb_agg(user_id order by id), '[]') into v_members from members where room_id = v_room;
  return jsonb_build_array(madang_note(p_journal, p_now, v_room, 'room.created', coalesce(v_actor, v_first, 0), v_actor,
    jsonb_build_object('memberIds', v_members)));
end $$;

create or replace function madang_room_delete(p_room bigint, p_actor bigint, p_journal bigint, p_now bigint)
returns jsonb language plpgsql as $$
begin
  update rooms set deleted_at = greatest(p_now, last_at), pair = null where id = p_room and deleted_at is null;
  if not found then return '"room_not_found"'; end if;
  return jsonb_build_array(madang_note(p_journal, p_now, p_room, 'room.deleted', coalesce(p_actor, 0), p_actor, null));
end $$;

drop function madang_enter(bigint, bigint, bigint, bigint, text, boolean, bigint);

-- Lets one user in, with a new entry. Of who comes back, the marker and the time of his last read are kept; his moves belong to
-- the entry that ended. p_together: all whom the same invitation lets in; absent, and not in the row, for who comes alone.
create function madang_enter(
  p_journal bigint, p_now bigint, p_room bigint, p_user bigint, p_role text, p_read_all boolean, p_actor bigint,
  p_together bigint[] default '{}'
) returns jsonb language plpgsql as $$
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
  return madang_note(p_journal, p_now, p_room, 'member.added', p_user, p_actor,
    jsonb_build_object(
      'id', v_member.id, 'role', v_member.role, 'nickname', v_member.nickname,
      'joinedAt', v_member.joined_at, 'joinedSeq', v_member.joined_seq,
      'seq', v_member.marker_seq, 'ordinal', v_member.marker_ordinal, 'readAt', v_member.read_at)
    || case when cardinality(p_together) > 1 then jsonb_build_object('together', p_together) else '{}' end);
end $$;

create or replace function madang_member_add(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room bigint := (e->>'roomId')::bigint;
  v_together bigint[];
  v_user bigint;
  v_refs jsonb := '[]';
begin
  if not exists (select from rooms where id = v_room and deleted_at is null) then return '"room_not_found"'; end if;
  if e->>'ifMember' is not null and not madang_is_member(v_room, (e->>'ifMember')::bigint) then return '"not_a_member"'; end if;
  select array_agg(u.value::bigint order by u.nth) into v_together
  from jsonb_array_elements_text(e->'userIds') with ordinality u (value, nth)
  where not madang_is_member(v_room, u.value::bigint);
  if v_together is null then return '"already_a_member"'; end if;
  update rooms set kind = 'group', rule = 'peers', pair = null where id = v_room and kind = 'direct';
  foreach v_user in array v_together loop
    v_refs := v_refs || jsonb_build_array(
      madang_enter(p_journal, p_now, v_room, v_user, e->>'role', e->>'read' = 'all', (e->>'actorId')::bigint, v_together));
  end loop;
  return v_refs;
end $$;

create or replace function madang_member_remove(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room bigint := (e->>'roomId')::bigint;
  v_user bigint := (e->>'userId')::bigint;
begin
  if not exists (select from rooms where id = v_room and deleted_at is null) then return '"room_not_found"'; end if;
  if e->>'ifMember' is not null and not madang_is_member(v_room, (e->>'ifMember')::bigint) then return '"not_a_member"'; end if;
  if not madang_is_member(v_room, v_user) then return '"not_a_member"'; end if;
  update rooms set pair = null where id = v_room and pair is not null;
  return madang_exit(p_journal, p_now, v_room, v_user, (e->>'actorId')::bigint);
end $$;
`
