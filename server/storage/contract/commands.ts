/** Entries at random, for two databases at once: each names spaces and messages in its own way. */
import fc from 'fast-check'
import type { MessageId, Role, RoomId, RoomRule, SpaceId } from '../../core/model.ts'
import type { Entry } from '../storage.ts'
import {
  channel,
  direct,
  edit,
  expel,
  giveName,
  giveRole,
  invite,
  keyed,
  post,
  react,
  read,
  remove,
  room,
  unreact,
} from './entries.ts'

/** What a command's small numbers stand for in one database. */
export interface Names {
  /** A user or a room. */
  number(small: number): number
  space(index: number): SpaceId
  /** An id that no message has where there are not so many in the room. */
  message(roomId: RoomId, index: number): MessageId
}

export type Command = (names: Names) => Entry

const user = fc.integer({ min: 1, max: 4 })
const roomNumber = fc.integer({ min: 1, max: 3 })
const space = fc.integer({ min: 0, max: 1 })
const index = fc.integer({ min: 0, max: 6 })
const text = fc.constantFrom('a', 'b', '안녕')
const files = fc.constantFrom(0, 0, 1, 2)
const role = fc.constantFrom<Role>('admin', 'sub-admin', 'member')
const reaction = fc.constantFrom('like', 'love')
const rule = fc.constantFrom<RoomRule>('admins', 'roles', 'peers')

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(roomNumber, user, text, fc.boolean(), files)
      .map(([r, u, t, isGuest, count]) => makePost(r, u, { t, isGuest, count })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(roomNumber, user, text).map(
      ([r, u, t]): Command =>
        ({ number }) =>
          keyed(number(r), number(u), 'key', t),
    ),
  },
  { weight: 3, arbitrary: fc.tuple(roomNumber, user, index, text).map(([r, u, i, t]) => makeEdit(r, u, i, t)) },
  { weight: 3, arbitrary: fc.tuple(roomNumber, user, index).map(([r, u, i]) => makeRemove(r, u, i)) },
  {
    weight: 3,
    arbitrary: fc.tuple(roomNumber, user, index, reaction).map(([r, u, i, t]) => makeReaction(react, r, u, { i, t })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(roomNumber, user, index, reaction).map(([r, u, i, t]) => makeReaction(unreact, r, u, { i, t })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(roomNumber, user, role, fc.option(user)).map(([r, u, as, by]): Command => ({ number }) => {
      return giveRole(number(r), number(u), as, { ifMember: by === null ? null : number(by) })
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(roomNumber, user, text).map(
      ([r, u, name]): Command =>
        ({ number }) =>
          giveName(number(r), number(u), name),
    ),
  },
  { weight: 4, arbitrary: fc.tuple(roomNumber, user, fc.option(index)).map(([r, u, i]) => makeRead(r, u, i)) },
  { weight: 4, arbitrary: fc.tuple(roomNumber, fc.uniqueArray(user), rule).map(([r, users, by]) => makeRoom(r, users, by)) },
  {
    weight: 3,
    arbitrary: fc.tuple(roomNumber, fc.uniqueArray(user, { maxLength: 3 })).map(([r, users]) => makeDirect(r, users)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(roomNumber, space).map(([r, s]): Command => (names) => {
      return { ...channel(names.space(s), names.number(1)), id: names.number(r) }
    }),
  },
  {
    weight: 1,
    arbitrary: roomNumber.map((r): Command => ({ number }) => ({ kind: 'room.delete', roomId: number(r), actorId: null })),
  },
  { weight: 1, arbitrary: fc.tuple(roomNumber, text).map(([r, name]) => makeUpdate(r, name)) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(roomNumber, fc.uniqueArray(user), fc.boolean(), fc.option(user))
      .map(([r, users, all, by]) => makeAdd(r, users, all, by)),
  },
  { weight: 4, arbitrary: fc.tuple(roomNumber, user, fc.option(user)).map(([r, u, by]) => makeExpel(r, u, by)) },
  { weight: 3, arbitrary: fc.tuple(space, user).map(([s, u]) => makeSpaceMove('space.join', s, u)) },
  { weight: 2, arbitrary: fc.tuple(space, user).map(([s, u]) => makeSpaceMove('space.leave', s, u)) },
  {
    weight: 1,
    arbitrary: space.map((s): Command => (names) => ({ kind: 'space.delete', spaceId: names.space(s), actorId: null })),
  },
)

function makePost(r: number, u: number, { t, isGuest, count }: { t: string; isGuest: boolean; count: number }): Command {
  const fileOf = (nth: number) => ({ fileName: `${t}.png`, url: `/uploads/${u}.${nth}`, mimeType: null, sizeBytes: nth })
  const attachments = Array.from({ length: count }, (_, nth) => fileOf(nth))
  return ({ number }) => post(number(r), number(u), t, { isGuest, attachments })
}

function makeEdit(r: number, u: number, i: number, t: string): Command {
  return ({ number, message }) => edit(number(r), number(u), message(number(r), i), t)
}

function makeRemove(r: number, u: number, i: number): Command {
  return ({ number, message }) => remove(number(r), number(u), message(number(r), i))
}

function makeReaction(make: typeof react, r: number, u: number, { i, t }: { i: number; t: string }): Command {
  return ({ number, message }) => make(number(r), number(u), message(number(r), i), t)
}

function makeRead(r: number, u: number, i: number | null): Command {
  return ({ number, message }) => read(number(r), number(u), i === null ? null : message(number(r), i))
}

function makeRoom(r: number, users: number[], by: RoomRule): Command {
  return ({ number }) => room(users.map(number), { id: number(r), rule: by })
}

function makeDirect(r: number, users: number[]): Command {
  return ({ number }) => direct(users.map(number), { id: number(r) })
}

function makeUpdate(r: number, name: string): Command {
  return ({ number }) => ({ kind: 'room.update', roomId: number(r), name, description: null, actorId: null })
}

function makeAdd(r: number, users: number[], all: boolean, by: number | null): Command {
  const more = { read: all ? 'all' : 'none' } as const
  return ({ number }) => ({
    ...invite(number(r), 0, users.map(number)),
    ...more,
    ifMember: by === null ? null : number(by),
  })
}

function makeExpel(r: number, u: number, by: number | null): Command {
  return ({ number }) => expel(number(r), number(u), { ifMember: by === null ? null : number(by) })
}

function makeSpaceMove(kind: 'space.join' | 'space.leave', s: number, u: number): Command {
  return (names) => ({ kind, spaceId: names.space(s), userId: names.number(u), actorId: null })
}

/** Identity names: to see which entries of a batch would carry the same key. */
const plain: Names = { number: (small) => small, space: (small) => small, message: () => 0 }

/** The port promises that no two entries of a batch have the same room, author and key; the later ones are left out. */
function withoutTwins(batch: Command[]): Command[] {
  const seen = new Set<string>()
  return batch.filter((make) => {
    const entry = make(plain)
    if (entry.kind !== 'post' || entry.clientKey === null) return true
    const name = `${entry.roomId} ${entry.authorId}`
    return !seen.has(name) && seen.add(name)
  })
}

const batch = fc.array(command, { minLength: 1, maxLength: 8 }).map(withoutTwins)

export const commandBatches = fc.array(batch, { minLength: 1, maxLength: 15 })
