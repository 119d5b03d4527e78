/** A removal names the membership that it ends, by the seq of the event that began it. Shape of the functions: 0002-events. */
export const removals = `
-- Takes one member out; his row stays with the stamp of his removal.
create or replace function madang_exit(p_journal bigint, p_now bigint, p_room bigint, p_user bigint, p_actor bigint)
returns jsonb language plpgsql as $$
declare
  v_member members;
  v_refs jsonb;
begin
  select * into v_member from members where room_id = p_room and user_id = p_user;
  v_refs := jsonb_build_array(madang_note(p_journal, p_now, p_room, 'member.removed', p_user, p_actor,
    jsonb_build_object('joinedSeq', v_member.joined_seq)));
  update members m set left_journal = l.journal, left_position = l.position, left_at = l.at
  from log l
  where m.room_id = p_room and m.user_id = p_user and l.room_id = p_room and l.seq = (v_refs->0->>1)::bigint;
  if v_member.role = 'admin' then v_refs := v_refs || madang_promote(p_journal, p_now, p_room, p_actor); end if;
  return v_refs;
end $$;
`
