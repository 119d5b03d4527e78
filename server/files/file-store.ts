/**
 * Where the bytes of attachments are. What they belong to stands in the log; a name that no message has is nobody's and is swept away.
 * Every adapter runs file-store.contract.ts.
 */

export interface StoredFile {
  /** Random, `storedName`; its extension is what the bytes are, whatever the sender called them. */
  name: string
  sizeBytes: number
  /** By the bytes; null where they do not tell. */
  mimeType: string | null
  /** Of the bytes, in hex. */
  sha256: string
}

/** Both ends count, from 0. */
export interface ByteRange {
  first: number
  last: number
}

export interface OpenFile {
  sizeBytes: number
  /** To be called once at most; who does not call it, or does not read to the end, calls `close`. */
  read(range?: ByteRange): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** More bytes came than may. */
export class FileTooLarge extends Error {
  override name = 'FileTooLarge'
}

/** The store cannot do this just now: a full disk, a mount that is gone. */
export class FilesUnavailable extends Error {
  override name = 'FilesUnavailable'
}

/** 32 characters (160 random bits) and an extension: nothing else ever becomes part of a path. */
const storedName = /^[a-z2-7]{32}\.[a-z0-9]{1,10}$/

/** Whether this may be a name that `put` gave. */
export function isStoredName(text: string): boolean {
  return storedName.test(text)
}

/**
 * Obligations: memory stays flat whatever the size of a file; a file that `put` has resolved with survives a crash; of one that it
 * has not, nothing is ever seen under a name. Names that are not `isStoredName` are answered as those of missing files.
 */
export interface FileStore {
  /**
   * Reads the bytes to their end. Throws FileTooLarge for more than `bytesMax`, FilesUnavailable, and what `bytes` throws; nothing is
   * left then.
   */
  put(bytes: AsyncIterable<Uint8Array>, bytesMax: number): Promise<StoredFile>
  /** Null where there is none. Throws FilesUnavailable. */
  open(name: string): Promise<OpenFile | null>
  /** Also fine where there is none. Throws FilesUnavailable. */
  remove(name: string): Promise<void>
  /** The names of files that came before this time (milliseconds since 1970), some at a time, in no order. */
  listBefore(before: number): AsyncIterable<string[]>
  /** What a crash left over of files that were begun before this time; also another node's, whose request cannot be alive any more. */
  removeUnfinished(before: number): Promise<void>
  /** Leaves a mark beside the files (letters, digits and dashes) that whoever sees the same files sees too. Doing it again is fine. */
  mark(text: string): Promise<void>
  listMarks(): Promise<string[]>
  unmark(text: string): Promise<void>
}
