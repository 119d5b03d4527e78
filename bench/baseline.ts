/**
 * What one would write for a chat room without much thought: socket.io, one INSERT per message, one emit to the room.
 * Its messages have the same keys as Madang's `guild` door's. Settings: PORT, DATABASE_URL (absent: sockets that are only held).
 */
import { createServer } from 'node:http'
import pg from 'pg'
import { Server, type Socket } from 'socket.io'

interface MessageRow {
  id: string
  created_at: Date
  updated_at: Date
}

const databaseUrl = process.env['DATABASE_URL']
const pool = databaseUrl === undefined ? undefined : new pg.Pool({ connectionString: databaseUrl })
const http = createServer()
const io = new Server(http)

await pool?.query(`CREATE TABLE IF NOT EXISTS messages (
  id bigserial PRIMARY KEY,
  content text NOT NULL,
  channel_id bigint NOT NULL,
  author_id bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
)`)
await pool?.query('CREATE INDEX IF NOT EXISTS messages_of_channel ON messages (channel_id, id)')

io.on('connection', (socket) => {
  const { room, user } = socket.handshake.query
  const channelId = Number(room)
  const authorId = Number(user)
  void socket.join(String(channelId))
  socket.on('message', (message: { content: string }) => void post(socket, { channelId, authorId, content: message.content }))
})

async function post(socket: Socket, message: { channelId: number; authorId: number; content: string }): Promise<void> {
  const { channelId, authorId, content } = message
  const result = await pool?.query<MessageRow>(
    'INSERT INTO messages (content, channel_id, author_id) VALUES ($1, $2, $3) RETURNING id, created_at, updated_at',
    [content, channelId, authorId],
  )
  const row = result?.rows[0]
  if (row === undefined) return
  io.to(String(channelId)).emit('message', {
    id: Number(row.id),
    content,
    channel_id: channelId,
    author_id: authorId,
    author_username: String(socket.handshake.query['username']),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  })
}

process.once('SIGTERM', () => process.exit(0))
http.listen(Number(process.env['PORT']), '127.0.0.1')
