/** Projects, whose rooms guests write in (W9). Shape of the functions: 0002-events. */
export const guests = `
-- Of a project's room, until it is deleted.
alter table rooms add column project_id text;
create unique index rooms_of_project on rooms (project_id) where project_id is not null;

create or replace function madang_room_create(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
declare
  v_room bigint := (e->>'id')::bigint;
  v_actor bigint := (e->>'actorId')::bigint;
  v_pair text := case when e->>'roomKind' = 'direct' and e->>'spaceId' is null then madang_pair(e->'members') end;
  v_project text := e->>'projectId';
  v_first bigint;
  v_members jsonb;
begin
  if e->>'spaceId' is not null and not exists (select from spaces where id = (e->>'spaceId')::bigint) then
    return '"space_not_found"';
  end if;
  if exists (select from rooms where id = v_room) or exists (select from rooms where pair = v_pair)
    or exists (select from rooms where project_id = v_project) then
    return '"room_exists"';
  end if;
  if v_room is null then v_room := madang_next_id('room'); end if;
  insert into rooms (id, kind, rule, name, description, space_id, pair, project_id, last_at, created_at, updated_at)
  values (v_room, e->>'roomKind', e->>'rule', e->>'name', e->>'description', (e->>'spaceId')::bigint, v_pair, v_project,
    p_now, p_now, p_now);
  v_first := madang_first_members(e, v_room, p_now);
  select coalesce(jsonb_agg(user_id order by id), '[]') into v_members from members where room_id = v_room;
  return jsonb_build_array(madang_note(p_journal, p_now, v_room, 'room.created', coalesce(v_actor, v_first, 0), v_actor,
    jsonb_build_object('memberIds', v_members)));
end $$;

create or replace function madang_room_delete(p_room bigint, p_actor bigint, p_journal bigint, p_now bigint)
returns jsonb language plpgsql as $$
begin
  update rooms set deleted_at = greatest(p_now, last_at), pair = null, project_id = null
  where id = p_room and deleted_at is null;
  if not found then return '"room_not_found"'; end if;
  return jsonb_build_array(madang_note(p_journal, p_now, p_room, 'room.deleted', coalesce(p_actor, 0), p_actor, null));
end $$;
`
