/** Whom an invitation or a new group names (P9). */
import type { UserId } from '../../../core/model.ts'
import type { Door } from '../../door.ts'

interface Chosen {
  userIds?: UserId[] | null | undefined
  departmentId: number | null
  includeSub?: boolean | null | undefined
}

/** Those named, then a department's active people; there may be doubles. */
export async function peopleIn(door: Door, { userIds, departmentId, includeSub }: Chosen): Promise<UserId[]> {
  const named = userIds ?? []
  if (departmentId === null) return named
  const people = await door.chat.organisation.membersOf(departmentId, includeSub ?? false)
  return [...named, ...people.map(({ id }) => id)]
}
