/**
 * Server-sent events: an answer that does not end. Its head leaves through Node's response, what follows is written to the socket
 * directly, as bytes that are shared by all who get them. Neither Content-Length nor chunked coding, so the same bytes serve HTTP/1.0
 * and 1.1 (P3).
 */
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { Pipe } from './pipe.ts'
import type { Outlet, PipeOptions } from './pipe.ts'

/** What belongs to a stream beside its way out. Never called before `open`'s `listen` has returned. */
export interface StreamEvents {
  /** The bytes of a sign of life, asked for every 25 s; they may be shared. */
  ping(): Uint8Array
  /** Once, at last: the socket is gone, whoever ended it. */
  onClose(): void
}

export interface StreamsOptions extends PipeOptions {
  /** How long what was written may take to leave once the stream has ended: 2 s by default. */
  closeTimeoutMs?: number
}

export interface Streams {
  /**
   * Answers 200 at once, behind what was asked for before on its connection, with what the hooks put on the reply, and flushes; then
   * `listen` gets the stream. A HEAD request gets the head alone and `listen` is not called; nor is it where the client has gone, or the
   * server is stopping. A stream past its budget or drain deadline just ends, as all do: clients come back and resume.
   */
  open(reply: FastifyReply, listen: (stream: Outlet) => StreamEvents): void
  /** P3: what would be a 429 or 503 is a 200 that says when to come back, and ends: an EventSource gives up on any other status. */
  turnAway(reply: FastifyReply, retryMs: number): void
  /** From now on every stream is turned away: stopping. */
  stop(): void
}

const stoppingRetryMs = 1_000

export function createStreams(options: StreamsOptions): Streams {
  let isStopping = false

  function open(reply: FastifyReply, listen: (stream: Outlet) => StreamEvents): void {
    if (isStopping) return turnAway(reply, stoppingRetryMs)
    const { raw } = reply
    writeHead(reply)
    if (reply.request.method === 'HEAD') return void raw.end()
    raw.flushHeaders()
    // The answer before it has the socket until Node has heard that it left, which its client may know before.
    if (raw.socket !== null) begin(raw, listen)
    else raw.once('socket', () => process.nextTick(begin, raw, listen))
  }

  function begin(raw: ServerResponse, listen: (stream: Outlet) => StreamEvents): void {
    const { socket } = raw
    if (isStopping) raw.end(formatRetry(stoppingRetryMs))
    else if (socket === null || socket.destroyed) raw.end()
    else new EventStream(socket, options).listen(raw, listen)
  }

  return { open, turnAway, stop: () => void (isStopping = true) }
}

function turnAway(reply: FastifyReply, retryMs: number): void {
  writeHead(reply)
  reply.raw.end(formatRetry(retryMs))
}

function writeHead(reply: FastifyReply): void {
  const { raw } = reply
  reply.hijack()
  raw.useChunkedEncodingByDefault = false
  raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...streamHeaders })
}

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // nginx would hold back what is smaller than its buffer.
  'x-accel-buffering': 'no',
  connection: 'close',
}

/** How long a client is to wait before it comes back. */
export function formatRetry(ms: number): string {
  return `retry: ${ms}\n\n`
}

class EventStream extends Pipe<StreamsOptions> {
  private isEnded = false
  private events: StreamEvents | null = null

  listen(response: ServerResponse, listen: (stream: Outlet) => StreamEvents): void {
    response.once('close', () => this.ended())
    this.events = listen(this)
    this.options.keeper.add(this)
  }

  get isOpen(): boolean {
    return !this.isEnded && this.socket.writable
  }

  ping(): void {
    // Nothing comes back on a stream: who is gone shows by what he does not take.
    this.unanswered = 0
    if (this.events) this.write(this.events.ping())
  }

  close(): void {
    if (this.isEnded) return
    this.isEnded = true
    this.socket.destroySoon()
    setTimeout(() => this.socket.destroy(), this.options.closeTimeoutMs ?? 2_000).unref()
  }

  endSlow(): void {
    this.terminate()
  }

  /** Also by the keeper: nothing is heard on a stream, so who is silent is who does not read. */
  terminate(): void {
    this.fault = 'too_slow'
    this.isEnded = true
    this.socket.destroy()
  }

  private ended(): void {
    this.isEnded = true
    this.options.keeper.remove(this)
    this.events?.onClose()
  }
}
