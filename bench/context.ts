/** What the parts of the bench tell each other. */
import type { Cores } from './machine.ts'
import type { Options } from './options.ts'
import type { Postgres } from './postgres.ts'
import type { Programs } from './programs.ts'

export type Engine = 'postgres' | 'embedded'
export type SubjectName = 'madang' | 'baseline' | 'relay' | 'widget' | 'feed' | 'ws' | 'socket.io'

export interface Context {
  options: Options
  programs: Programs
  cores: Cores
  postgres: Postgres | undefined
}

/** A running server with its room, as the load client is told about it. */
export interface OpenSubject {
  pid: number
  port: number
  /** See expand in clients.h. */
  path: string
  /** The frame to send, `%s` its text. */
  format: string
  isSocketIo: boolean
  /** What a socket.io client says of itself as it connects, as JSON; expanded as `path`. */
  auth?: string
  /** A line per connection. */
  tokensFile?: string
  /** Where those are who do not send, if they are somewhere else. */
  listenersAt?: string
  /** Those are at another node. */
  listenersPort?: number
  /** Those listen to event streams. */
  areStreams?: boolean
  /** Idle sockets are spread over rooms of so many. */
  membersPerRoom: number
  /** Lets who listens at `/chat` hear the room; for half a minute where nobody opens a socket. */
  bind?(): Promise<void>
  /** Where its database is. */
  database?: string
  close(): Promise<void>
}

export interface Room {
  engine: Engine
  members: number
  redisUrl?: string
}

export type Open = (context: Context, room: Room) => Promise<OpenSubject>
