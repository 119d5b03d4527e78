/** A server that does nothing but hold sockets: what `ws` itself needs for each. Setting: PORT. */
import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ port: Number(process.env['PORT']), host: '127.0.0.1' })
server.on('connection', (socket) => {
  socket.on('message', () => {})
  socket.on('error', () => {})
})
