/** Making, changing and deleting rooms, and a space with its rooms. Shape of the functions: 0002-events. */
export const rooms = `
-- The first members of a new room: those named, or the space's. Returns the first one.
create function madang_first_members(e jsonb, p_room bigint, p_now bigint) returns bigint language plpgsql as $$
declare
  v_first bigint;
begin
  insert into members (id, room_id, user_id, role, joined_at, joined_seq)
  select madang_next_id('member'), p_room, f.user_id, f.role, p_now, 1
  from (
    select m.user_id, case when m.user_id = s.owner_id then 'admin' else 'member' end as role, m.number
    from spaces s join space_members m on m.space_id = s.id
    where s.id = (e->>'spaceId')::bigint
    union all
    select (m.value->>'userId')::bigint, m.value->>'role', m.ordinality
    from jsonb_array_elements(e->'members') with ordinality m
    where e->>'spaceId' is null
    order by 3
  ) f
  on conflict do nothing;
  select user_id into v_first from members where room_id = p_room order by id limit 1;
  return v_first;
end $$;

create function madang_room_create(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room bigint := (e->>'id')::bigint;
  v_actor bigint := (e->>'actorId')::bigint;
  v_first bigint;
begin
  if e->>'spaceId' is not null and not exists (select from spaces where id = (e->>'spaceId')::bigint) then
    return '"space_not_found"';
  end if;
  if exists (select from rooms where id = v_room) then return '"room_exists"'; end if;
  if v_room is null then v_room := madang_next_id('room'); end if;
  insert into rooms (id, kind, rule, name, description, space_id, last_at, created_at, updated_at)
  values (v_room, e->>'roomKind', e->>'rule', e->>'name', e->>'description', (e->>'spaceId')::bigint, p_now, p_now, p_now);
  v_first := madang_first_members(e, v_room, p_now);
  return jsonb_build_array(
    madang_note(p_journal, p_now, v_room, 'room.created', coalesce(v_actor, v_first, 0), v_actor, null));
end $$;

create function madang_room_update(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room rooms;
  v_actor bigint := (e->>'actorId')::bigint;
begin
  update rooms set name = coalesce(e->>'name', name), description = coalesce(e->>'description', description),
    updated_at = greatest(p_now, last_at)
  where id = (e->>'roomId')::bigint and deleted_at is null
  returning * into v_room;
  if not found then return '"room_not_found"'; end if;
  return jsonb_build_array(madang_note(p_journal, p_now, v_room.id, 'room.updated', coalesce(v_actor, 0), v_actor,
    jsonb_build_object('name', v_room.name, 'description', v_room.description)));
end $$;

create function madang_room_delete(p_room bigint, p_actor bigint, p_journal bigint, p_now bigint)
returns jsonb language plpgsql as $$
begin
  update rooms set deleted_at = greatest(p_now, last_at) where id = p_room and deleted_at is null;
  if not found then return '"room_not_found"'; end if;
  return jsonb_build_array(madang_note(p_journal, p_now, p_room, 'room.deleted', coalesce(p_actor, 0), p_actor, null));
end $$;

create function madang_space_delete(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_space bigint := (e->>'spaceId')::bigint;
  v_room bigint;
  v_refs jsonb := '[]';
begin
  delete from spaces where id = v_space;
  if not found then return '"space_not_found"'; end if;
  delete from space_members where space_id = v_space;
  for v_room in select id from rooms where space_id = v_space and deleted_at is null order by id loop
    v_refs := v_refs || madang_room_delete(v_room, (e->>'actorId')::bigint, p_journal, p_now);
  end loop;
  return v_refs;
end $$;
`
