/**
 * The posts of a batch, in one statement. Its rows come as arrays (measured: half the time of jsonb), are read once, and each looks
 * up its room, member and key by itself (`lateral ... limit 1`). Joined, the planner was free to compare every row of the batch
 * with every member, and did so in a young database, where it takes a table for one row: 20 times slower. The updates join one
 * row per author or room with its primary key, and the settings of madang_append leave no other way.
 */
export const posts = `
-- Stores the posts of a batch in order of room and, within a room, as given. Returns
--   blocks: [room id, first seq, first ordinal, first message id, first position, at, [indexes of its entries]] by room id,
--   repeated: [index, seq], refused: [index, reason], ids and positions: how many were used.
-- A post of a member uses two positions, its own and that of its author's marker; a guest's uses one.
create function madang_posts(
  p_journal bigint, p_position bigint, p_now bigint, p_last_id bigint, p_id_max bigint, p_missing bigint[],
  p_index int[], p_room bigint[], p_author bigint[], p_guest boolean[],
  p_kind text[], p_content text[], p_file text[], p_key text[], p_hash text[]
) returns jsonb language plpgsql as $$
declare
  v_result jsonb;
begin
  with checked as materialized (
    select p.*, r.head, r.ordinal, r.moves, greatest(p_now, r.last_at) as at, k.seq as known_seq,
      case
        when r.id is null or r.deleted_at is not null or p.room_id = any (p_missing) then 'room_not_found'
        when not p.guest and (m.user_id is null or m.left_at is not null) then 'not_a_member'
        when k.body_hash <> p.body_hash then 'key_conflict'
      end as refusal
    from unnest(p_index, p_room, p_author, p_guest, p_kind, p_content, p_file, p_key, p_hash)
      as p (index, room_id, author_id, guest, kind, content, file_url, client_key, body_hash)
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
      moves + sum(case when guest then 0 else 1 end) over room as move
    from checked
    where refusal is null and known_seq is null
    window batch as (order by room_id, index), room as (partition by room_id order by index)
  ),
  accepted as materialized (select * from placed where message_id <= p_id_max),
  logged as (
    insert into log (room_id, seq, type, journal, position, at, user_id, message_id, ordinal, guest, kind, content, file_url)
    select room_id, seq, 'message.posted', p_journal, position, at, author_id, message_id, message_ordinal, guest, kind, content, file_url
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
      jsonb_agg(index order by index) as indexes
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
      select jsonb_agg(jsonb_build_array(room_id, first_seq, first_ordinal, first_id, first_position, at, indexes) order by room_id)
      from blocks),
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
`
