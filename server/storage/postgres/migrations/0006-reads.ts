/** The reads of a batch, in one statement; how it meets the tables: 0005-posts. */
export const reads = `
-- Notes the reads of a batch as given; those of one member follow one another. Returns
--   reads: [index, room id, user id, marker's seq, marker's message id, at, position], refused: [index, reason].
create function madang_reads(
  p_journal bigint, p_position bigint, p_now bigint, p_missing bigint[],
  p_index int[], p_room bigint[], p_user bigint[], p_message bigint[]
) returns jsonb language plpgsql as $$
declare
  v_result jsonb;
begin
  with checked as materialized (
    select p.*, r.moves, greatest(p_now, r.last_at) as at, m.marker_seq as old_seq,
      case
        when r.id is null or r.deleted_at is not null or p.room_id = any (p_missing) then 'room_not_found'
        when m.user_id is null or m.left_at is not null then 'not_a_member'
      end as refusal,
      greatest(m.marker_seq, t.seq) as target_seq,
      greatest(m.marker_ordinal, t.ordinal) as target_ordinal,
      greatest(m.marker_message_id, t.message_id) as target_id
    from unnest(p_index, p_room, p_user, p_message) as p (index, room_id, user_id, message_id)
    left join lateral (select * from rooms where id = p.room_id limit 1) r on true
    left join lateral (select * from members where room_id = p.room_id and user_id = p.user_id limit 1) m on true
    left join lateral (
      select l.seq, l.ordinal, l.message_id from log l
      where l.room_id = r.id and l.message_id <= coalesce(p.message_id, r.last_message_id)
      order by l.message_id desc limit 1
    ) t on true
  ),
  placed as materialized (
    select index, room_id, user_id, old_seq, at,
      max(target_seq) over member as seq, max(target_ordinal) over member as ordinal, max(target_id) over member as message_id,
      moves + row_number() over (partition by room_id order by index) as move,
      p_position - 1 + row_number() over (order by index) as position
    from checked where refusal is null
    window member as (partition by room_id, user_id order by index)
  ),
  told as materialized (
    select *, seq > coalesce(lag(seq) over (partition by room_id, user_id order by index), old_seq) as advanced from placed
  ),
  marked as (
    update members m set
      marker_seq = t.seq, marker_ordinal = t.ordinal, marker_message_id = t.message_id,
      moved_number = coalesce(t.moved_number, m.moved_number),
      moved_journal = case when t.moved_number is null then m.moved_journal else p_journal end,
      moved_position = coalesce(t.moved_position, m.moved_position),
      moved_at = case when t.moved_number is null then m.moved_at else t.at end,
      moved_explicit = t.moved_number is not null or m.moved_explicit,
      read_number = t.move, read_journal = p_journal, read_position = t.position, read_at = t.at,
      read_seq = t.seq, read_message_id = t.message_id
    from (
      select room_id, user_id, max(seq) as seq, max(ordinal) as ordinal, max(message_id) as message_id,
        max(move) as move, max(position) as position, max(at) as at,
        max(move) filter (where advanced) as moved_number, max(position) filter (where advanced) as moved_position
      from told group by room_id, user_id
    ) t
    where m.room_id = t.room_id and m.user_id = t.user_id
  ),
  counted as (
    update rooms r set moves = t.moves, last_at = t.at, last_journal = p_journal, last_position = t.position
    from (select room_id, max(move) as moves, max(at) as at, max(position) as position from told group by room_id) t
    where r.id = t.room_id
  )
  select jsonb_build_object(
    'reads', (
      select jsonb_agg(jsonb_build_array(index, room_id, user_id, seq, message_id, at, position) order by position) from told),
    'refused', (select jsonb_agg(jsonb_build_array(index, refusal)) from checked where refusal is not null)
  ) into v_result;
  return v_result;
end $$;
`
