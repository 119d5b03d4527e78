/**
 * The bus carries commits between processes. It is a hint and never the truth: a commit that it loses is found by the gap in its
 * journal's positions and read from storage (`LogStore.readCommits`).
 */
import type { Commit } from '../storage/storage.ts'

/** Obligations: what one process publishes arrives in that order or not at all; a process does not hear itself. */
export interface Bus {
  /** Never throws and never waits: a bus that is away drops. */
  publish(commit: Commit): void
  /** One listener per bus object. */
  listen(listener: (commit: Commit) => void): void
  close(): Promise<void>
}
