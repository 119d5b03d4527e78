/**
 * The one statement of an append: its locks, the structural entries one by one, then posts, then reads, and the row about itself.
 */
export const append = `
-- Locks the rows of spaces, then of rooms, both in order of id, so that two appends never wait for one another. locked: the
-- rooms that are there. foreign_last: [room id, journal, position] of what stands last in them, where that is another journal's.
create function madang_lock(p_journal bigint, p_rooms bigint[], p_spaces bigint[], out locked bigint[], out foreign_last jsonb)
language plpgsql as $$
begin
  if cardinality(p_spaces) > 0 then
    perform from spaces where id = any (p_spaces) order by id for update;
    p_rooms := p_rooms || array(select id from rooms where space_id = any (p_spaces));
  end if;
  select array_agg(id), jsonb_agg(jsonb_build_array(id, last_journal, last_position)) filter (where last_journal <> p_journal)
  into locked, foreign_last
  from (select * from rooms where id = any (p_rooms) and deleted_at is null order by id for update) r;
end $$;

create function madang_change(e jsonb, p_journal bigint, p_now bigint) returns jsonb language plpgsql as $$
begin
  case e->>'kind'
    when 'edit' then return madang_rewrite(e, p_journal, p_now, e->>'content');
    when 'delete' then return madang_rewrite(e, p_journal, p_now, null);
    when 'room.create' then return madang_room_create(e, p_journal, p_now);
    when 'room.update' then return madang_room_update(e, p_journal, p_now);
    when 'room.delete' then return madang_room_delete((e->>'roomId')::bigint, (e->>'actorId')::bigint, p_journal, p_now);
    when 'member.add' then return madang_member_add(e, p_journal, p_now);
    when 'member.remove' then return madang_member_remove(e, p_journal, p_now);
    when 'space.join' then return madang_space_join(e, p_journal, p_now);
    when 'space.leave' then return madang_space_leave(e, p_journal, p_now);
    when 'space.delete' then return madang_space_delete(e, p_journal, p_now);
  end case;
end $$;

-- The entries that are neither posts nor reads, as given, one by one. Returns
--   changes: [index, [[room id, seq], ...]], refused: [index, reason], made: the ids of the rooms made.
create function madang_changes(p_entries jsonb, p_journal bigint, p_now bigint, p_missing bigint[])
returns jsonb language plpgsql as $$
declare
  e jsonb;
  v_refs jsonb;
  v_changes jsonb := '[]';
  v_refused jsonb := '[]';
begin
  for e in select value from jsonb_array_elements(p_entries) loop
    if (e->>'roomId')::bigint = any (p_missing) then
      v_refs := '"room_not_found"';
    else
      v_refs := madang_change(e, p_journal, p_now);
    end if;
    if jsonb_typeof(v_refs) = 'string' then
      v_refused := v_refused || jsonb_build_array(jsonb_build_array(e->'index', v_refs));
    else
      v_changes := v_changes || jsonb_build_array(jsonb_build_array(e->'index', v_refs));
      if e->>'kind' = 'room.create' then p_missing := array_remove(p_missing, (v_refs->0->>0)::bigint); end if;
    end if;
  end loop;
  return jsonb_build_object('changes', v_changes, 'refused', v_refused, 'missing', to_jsonb(p_missing));
end $$;

-- The log rows of an outcome's changes, with their messages as they are now.
create function madang_changed_rows(p_outcome jsonb) returns jsonb language plpgsql as $$
begin
  if p_outcome->'changes' is null then return '[]'; end if;
  return (
    select coalesce(jsonb_agg(to_jsonb(v) order by v.position), '[]')
    from jsonb_array_elements(p_outcome->'changes') c, jsonb_array_elements(c->1) f, log_rows v
    where v.room_id = (f->>0)::bigint and v.seq = (f->>1)::bigint
  );
end $$;

-- Stores a batch as one commit. state: 'stored', 'closed' (the journal is, or goes on at another position), or 'stands' (this
-- commit was stored before: its outcome again). outcome: first, last (positions), after (foreign_last of madang_lock), changes,
-- blocks, reads, repeated, refused. rows: the log rows of the changes. The settings leave each statement one plan, by way of the
-- indexes, whatever the planner thinks of the length of an array or, in a young database, of a table; and that plan is kept.
create function madang_append(
  p_journal bigint, p_first bigint, p_id_max bigint, p_rooms bigint[], p_spaces bigint[], p_entries jsonb,
  p_post_index int[], p_post_room bigint[], p_author bigint[], p_guest boolean[],
  p_kind text[], p_content text[], p_file text[], p_key text[], p_hash text[],
  p_read_index int[], p_read_room bigint[], p_reader bigint[], p_read_message bigint[]
) returns table (state text, outcome jsonb, rows jsonb) language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off as $$
declare
  v_journal journals;
  v_lock record;
  -- A room made after the locks were taken is not locked, and counts as missing.
  v_missing bigint[];
  v_now bigint;
  v_last bigint := p_first - 1;
  v_last_id bigint;
  v_part jsonb;
begin
  select * into v_journal from journals where number = p_journal for update;
  select c.outcome into outcome from commits c where c.journal = p_journal and c.first_position = p_first;
  if found then
    state := 'stands';
    rows := madang_changed_rows(outcome);
    return next;
    return;
  end if;
  if v_journal.number is null or v_journal.closed_at is not null or v_journal.last_position <> v_last then
    state := 'closed';
    return next;
    return;
  end if;

  v_lock := madang_lock(p_journal, p_rooms, p_spaces);
  v_missing := array(select unnest(p_rooms) except select unnest(v_lock.locked));
  -- Counters come last. Structural entries may need all of them, and take them in one order.
  perform from counters where name = 'message' or (p_entries is not null and name in ('member', 'room')) order by name for update;
  v_now := madang_now();
  state := 'stored';
  outcome := '{}';
  rows := '[]';

  if p_entries is not null then
    v_part := madang_changes(p_entries, p_journal, v_now, v_missing);
    v_missing := array(select jsonb_array_elements_text(v_part->'missing')::bigint);
    outcome := jsonb_build_object('changes', v_part->'changes', 'refused', v_part->'refused');
    rows := madang_changed_rows(outcome);
    select last_position into v_last from journals where number = p_journal;
  end if;
  if cardinality(p_post_index) > 0 then
    select value into v_last_id from counters where name = 'message';
    v_part := madang_posts(p_journal, v_last + 1, v_now, v_last_id, p_id_max, v_missing,
      p_post_index, p_post_room, p_author, p_guest, p_kind, p_content, p_file, p_key, p_hash);
    update counters set value = value + (v_part->>'ids')::bigint where name = 'message' and (v_part->>'ids')::bigint > 0;
    v_last := v_last + (v_part->>'positions')::bigint;
    outcome := madang_merged(outcome, v_part);
  end if;
  if cardinality(p_read_index) > 0 then
    v_part := madang_reads(p_journal, v_last + 1, v_now, v_missing, p_read_index, p_read_room, p_reader, p_read_message);
    v_last := v_last + jsonb_array_length(coalesce(nullif(v_part->'reads', 'null'), '[]'));
    outcome := madang_merged(outcome, v_part);
  end if;

  outcome := outcome || jsonb_strip_nulls(jsonb_build_object('first', p_first, 'last', v_last, 'after', v_lock.foreign_last));
  update journals set last_position = v_last, seen_at = v_now where number = p_journal;
  if v_last >= p_first then
    insert into commits (journal, first_position, last_position, at, outcome) values (p_journal, p_first, v_last, v_now, outcome);
  end if;
  return next;
end $$;

-- Two parts of an outcome as one: what both refused goes together, what is empty is left out.
create function madang_merged(p_outcome jsonb, p_part jsonb) returns jsonb language plpgsql as $$
declare
  v_refused jsonb := p_outcome->'refused';
begin
  p_part := jsonb_strip_nulls(p_part - 'ids' - 'positions');
  if v_refused is not null and p_part->'refused' is not null then v_refused := v_refused || (p_part->'refused'); end if;
  return p_outcome || p_part || jsonb_strip_nulls(jsonb_build_object('refused', coalesce(v_refused, p_part->'refused')));
end $$;
`
