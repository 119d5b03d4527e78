/**
 * The posts and reads of 0005 and 0006 again: they store attachments, and say whether a marker went past messages that its owner had
 * not read.
 */
export const postsWithFiles = `
drop function madang_posts(
  bigint, bigint, bigint, bigint, bigint, bigint[], int[], bigint[], bigint[], boolean[], text[], text[], text[], text[], text[]);

-- Stores the posts of a batch in order of room and, within a room, as given. Returns
--   blocks: [room id, first seq, first ordinal, first message id, first position, at, [indexes of its entries], passed] by room id,
--   attached: [index, id of its first attachment, whose others follow], repeated: [index, seq], refused: [index, reason],
--   ids and positions: how many were used.
-- passed holds a 1 for each post that carried its author's marker past others' messages, else a 0.
-- A post of a member uses two positions, its own and that of its author's marker; a guest's uses one.
create function madang_posts(
  p_journal bigint, p_position bigint, p_now bigint, p_last_id bigint, p_id_max bigint, p_missing bigint[],
  p_index int[], p_room bigint[], p_author bigint[], p_guest boolean[],
  p_kind text[], p_content text[], p_file text[], p_key text[], p_hash text[], p_attachments jsonb[]
) returns jsonb language plpgsql as $$
declare
  v_result jsonb;
begin
  with checked as materialized (
    select p.*, r.head, r.ordinal, r.moves, m.marker_ordinal, greatest(p_now, r.last_at) as at, k.seq as known_seq,
      case
        when r.id is null or r.deleted_at is not null or p.room_id = any (p_missing) then 'room_not_found'
        when not p.guest and (m.user_id is null or m.left_at is not null) then 'not_a_member'
        when k.body_hash <> p.body_hash then 'key_conflict'
      end as refusal
    from unnest(p_index, p_room, p_author, p_guest, p_kind, p_content, p_file, p_key, p_hash, p_attachments)
      as p (index, room_id, author_id, guest, kind, content, file_url, client_key, body_hash, files)
    left join lateral (select * from rooms where id = p.room_id limit 1) r on true
    left join lateral (select * from members where room_id = p.room_id and user_id = p.author_id limit 1) m on true
    left join lateral (
      select * from client_keys where room_id = p.room_id and author_id = p.author_id and client_key = p.client_key limit 1
    ) k on true
  ),
  placed as materialized (
    select *,
      p_last_id + row_number() over batch as message_id,
      p_position + sum(case when guest then 1 else 2 end) over batch - case when guest then 1 else 2 end as position,
      head + row_number() over room as seq,
      ordinal + row_number() over room as message_ordinal,
      moves + sum(case when guest then 0 else 1 end) over room as move,
      -- Behind another's post of this batch, or, as the first of the room in it, behind what his marker has not reached.
      not guest and lag(case when not guest then author_id end) over room is distinct from author_id
        and (marker_ordinal < ordinal or row_number() over room > 1) as passed
    from checked
    where refusal is null and known_seq is null
    window batch as (order by room_id, index), room as (partition by room_id order by index)
  ),
  accepted as materialized (
    select *,
      case when files is not null then madang_attach(room_id, seq, files) end as attachments
    from placed where message_id <= p_id_max
  ),
  logged as (
    insert into log (room_id, seq, type, journal, position, at, user_id, message_id, ordinal, guest, kind, content, file_url, attachments)
    select room_id, seq, 'message.posted', p_journal, position, at, author_id, message_id, message_ordinal, guest, kind, content, file_url,
      attachments
    from accepted
  ),
  remembered as (
    insert into client_keys (room_id, author_id, client_key, body_hash, seq, at)
    select room_id, author_id, client_key, body_hash, seq, at from accepted where client_key is not null
  ),
  -- An author's last post carries the others' moves with it.
  marked as (
    update members m set
      marker_seq = a.seq, marker_ordinal = a.ordinal, marker_message_id = a.message_id,
      moved_number = a.move, moved_journal = p_journal, moved_position = a.position + 1, moved_at = a.at, moved_explicit = false
    from (
      select room_id, author_id, max(seq) as seq, max(message_ordinal) as ordinal, max(message_id) as message_id,
        max(move) as move, max(position) as position, max(at) as at
      from accepted where not guest group by room_id, author_id
    ) a
    where m.room_id = a.room_id and m.user_id = a.author_id
  ),
  blocks as materialized (
    select room_id, min(seq) as first_seq, max(seq) as head, min(message_ordinal) as first_ordinal, max(message_ordinal) as ordinal,
      min(message_id) as first_id, max(message_id) as last_id, max(move) as moves, max(at) as at,
      min(position) as first_position, max(case when guest then position else position + 1 end) as last_position,
      jsonb_agg(index order by index) as indexes, string_agg(passed::int::text, '' order by index) as passed
    from accepted group by room_id
  ),
  moved as (
    update rooms r set
      head = b.head, ordinal = b.ordinal, moves = b.moves, last_message_id = b.last_id, last_message_seq = b.head,
      last_at = b.at, last_journal = p_journal, last_position = b.last_position
    from blocks b where r.id = b.room_id
  )
  select jsonb_build_object(
    'blocks', (
      select jsonb_agg(
        jsonb_build_array(room_id, first_seq, first_ordinal, first_id, first_position, at, indexes, passed) order by room_id)
      from blocks),
    'attached', (
      select jsonb_agg(jsonb_build_array(index, attachments->0->'id')) from accepted where attachments is not null),
    'refused', (
      select jsonb_agg(jsonb_build_array(index, reason)) from (
        select index, refusal as reason from checked where refusal is not null
        union all select index, 'ids_exhausted' from placed where message_id > p_id_max
      ) r),
    'repeated', (
      select jsonb_agg(jsonb_build_array(index, known_seq)) from checked where refusal is null and known_seq is not null),
    'ids', (select count(*) from accepted),
    'positions', (select coalesce(sum(case when guest then 1 else 2 end), 0) from accepted)
  ) into v_result;
  return v_result;
end $$;

-- Notes the reads of a batch as given; those of one member follow one another. Returns
--   reads: [index, room id, user id, marker's seq, marker's message id, at, position, whether it moved], refused: [index, reason].
create or replace function madang_reads(
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
      select jsonb_agg(jsonb_build_array(index, room_id, user_id, seq, message_id, at, position, advanced) order by position) from told),
    'refused', (select jsonb_agg(jsonb_build_array(index, refusal)) from checked where refusal is not null)
  ) into v_result;
  return v_result;
end $$;
`
