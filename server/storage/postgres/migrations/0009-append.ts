/** The appends of 0007 and 0008 again, as 0009-posts goes with them: attachments come in, and `passed` goes out. */
export const appendWithFiles = `
drop function madang_append(
  bigint, bigint, bigint, bigint[], bigint[], jsonb, int[], bigint[], bigint[], boolean[], text[], text[], text[], text[], text[],
  int[], bigint[], bigint[], bigint[]);

-- Stores a batch as one commit. state: 'stored', 'closed' (the journal is, or goes on at another position), or 'stands' (this
-- commit was stored before: its outcome again). outcome: first, last (positions), after (foreign_last of madang_lock), changes,
-- blocks, attached, reads, repeated, refused. rows: the log rows of the changes. The settings leave each statement one plan, by way of the
-- indexes, whatever the planner thinks of the length of an array or, in a young database, of a table; and that plan is kept.
create function madang_append(
  p_journal bigint, p_first bigint, p_id_max bigint, p_rooms bigint[], p_spaces bigint[], p_entries jsonb,
  p_post_index int[], p_post_room bigint[], p_author bigint[], p_guest boolean[],
  p_kind text[], p_content text[], p_file text[], p_key text[], p_hash text[],
  p_read_index int[], p_read_room bigint[], p_reader bigint[], p_read_message bigint[],
  p_attachments jsonb[] default null
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
      p_post_index, p_post_room, p_author, p_guest, p_kind, p_content, p_file, p_key, p_hash, p_attachments);
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

-- As madang_append with this one post. Whatever is not the plain case (a client key, a refusal, a commit that stands, a closed
-- journal) is left to it; the locks are taken in the same order.
create or replace function madang_append_post(
  p_journal bigint, p_first bigint, p_id_max bigint, p_room bigint, p_author bigint, p_guest boolean,
  p_kind text, p_content text, p_file text
) returns table (state text, outcome jsonb, rows jsonb) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  r rooms;
  v_id bigint;
  v_marker bigint;
  v_at bigint;
  v_now bigint;
  v_last bigint := case when p_guest then p_first else p_first + 1 end;
begin
  perform from journals where number = p_journal and closed_at is null and last_position = p_first - 1 for update;
  if found then
    select * into r from rooms where id = p_room and deleted_at is null for update;
  end if;
  if r.id is not null and not p_guest then
    select marker_ordinal into v_marker from members where room_id = p_room and user_id = p_author and left_at is null;
  end if;
  if found and r.id is not null then
    update counters set value = value + 1 where name = 'message' and value < p_id_max returning value into v_id;
  end if;
  if v_id is null then
    return query select * from madang_append(p_journal, p_first, p_id_max, array[p_room], '{}', null,
      array[0], array[p_room], array[p_author], array[p_guest], array[p_kind], array[p_content], array[p_file], array[null::text],
      array[null::text], '{}', '{}', '{}', '{}');
    return;
  end if;

  v_now := madang_now();
  v_at := greatest(v_now, r.last_at);
  insert into log (room_id, seq, type, journal, position, at, user_id, message_id, ordinal, guest, kind, content, file_url)
  values (p_room, r.head + 1, 'message.posted', p_journal, p_first, v_at, p_author, v_id, r.ordinal + 1, p_guest, p_kind, p_content, p_file);
  if not p_guest then
    update members set
      marker_seq = r.head + 1, marker_ordinal = r.ordinal + 1, marker_message_id = v_id,
      moved_number = r.moves + 1, moved_journal = p_journal, moved_position = p_first + 1, moved_at = v_at, moved_explicit = false
    where room_id = p_room and user_id = p_author;
  end if;
  update rooms set
    head = r.head + 1, ordinal = r.ordinal + 1, moves = r.moves + (v_last - p_first), last_message_id = v_id, last_message_seq = r.head + 1,
    last_at = v_at, last_journal = p_journal, last_position = v_last
  where id = p_room;
  update journals set last_position = v_last, seen_at = v_now where number = p_journal;

  state := 'stored';
  rows := '[]';
  outcome := jsonb_build_object('first', p_first, 'last', v_last, 'blocks', jsonb_build_array(
    jsonb_build_array(p_room, r.head + 1, r.ordinal + 1, v_id, p_first, v_at, jsonb_build_array(0),
      case when v_marker < r.ordinal then '1' else '0' end)));
  if r.last_journal <> p_journal then
    outcome := outcome || jsonb_build_object('after', jsonb_build_array(jsonb_build_array(p_room, r.last_journal, r.last_position)));
  end if;
  insert into commits (journal, first_position, last_position, at, outcome) values (p_journal, p_first, v_last, v_now, outcome);
  return next;
end $$;
`
