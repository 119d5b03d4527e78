/** The contract's examples, run as printed (but for the port) on a fresh database in development [M2]. */
import { spawn, spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../../test/chat.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import { call, listen, rooms, send } from './feed.fixture.ts'
import { envelope, member, message } from './wire.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
})
afterEach(() => server.stop())

const here = (text: string) => text.replaceAll('localhost:3000', `localhost:${server.port}`)

const javaScript = `
// WebSocket 연결
const ws = new WebSocket('ws://localhost:3000/ws/chat/1?user_id=123');

// 메시지 수신
ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  console.log('Type:', data.type);
  console.log('Data:', data.data);
};

// 메시지 전송 (HTTP)
fetch('http://localhost:3000/api/v1/chat/rooms/1/messages', {
  method: 'POST',
  body: JSON.stringify({ user_id: 123, message: '안녕!' }),
});
`

const python = `
import websocket
import requests
import json

# WebSocket 연결
def on_message(ws, message):
    data = json.loads(message)
    print(f"Type: {data['type']}")
    print(f"Data: {data['data']}")

ws = websocket.WebSocketApp(
    "ws://localhost:3000/ws/chat/1?user_id=123",
    on_message=on_message
)
ws.run_forever()

# 메시지 전송 (HTTP)
requests.post(
    'http://localhost:3000/api/v1/chat/rooms/1/messages',
    json={'user_id': 123, 'message': '안녕!'}
)
`

/** Debian's python3-websocket and python3-requests. */
const pythonPath = '/usr/bin/python3'
const hasPython = spawnSync(pythonPath, ['-c', 'import websocket, requests']).status === 0
const mustRun = process.env['CI'] === 'true'

describe('clients', () => {
  test('[F2][M2] the JavaScript example runs as printed', async () => {
    const witness = await listen(server, [1, 2])
    const printed: unknown[][] = []
    const statuses: number[] = []
    const sockets: WebSocket[] = []
    // Called with `new`: what it returns is the instance.
    function Opened(address: string): WebSocket {
      const socket = new WebSocket(address)
      sockets.push(socket)
      return socket
    }
    const noting = async (...given: Parameters<typeof fetch>) => {
      const answer = await fetch(...given)
      statuses.push(answer.status)
      return answer
    }
    // oxlint-disable-next-line typescript/no-implied-eval -- the example as it is printed
    new Function('WebSocket', 'fetch', 'console', here(javaScript))(Opened, noting, {
      log: (...words: unknown[]) => printed.push(words),
    })
    await witness.find('message', ({ user_id, data }) => user_id === 123 && data.message === '안녕!')
    await until('the socket', () => printed.some(([, type]) => type === 'member_online'))
    await send(server, [1, 2], '어서 와')
    await until('the message', () =>
      printed.some(([word, data]) => word === 'Data:' && (data as { message?: string }).message === '어서 와'),
    )
    expect(statuses).toEqual([201])
    for (const socket of sockets) socket.close()
  })

  test('[F2][M2] the Flutter example: a socket, and a POST whose String body goes as text/plain', async () => {
    const listener = await listen(server, [1, 123])
    const body = JSON.stringify({ user_id: 123, message: '안녕!' })
    const answer = await call(server, `POST ${rooms}/1/messages`, body, {
      'content-type': 'text/plain; charset=utf-8',
      'user-agent': 'Dart/3.4 (dart:io)',
    })
    expect(answer.status).toBe(201)
    expect((await listener.find('message')).data).toEqual(answer.body.data)
  })

  test.skipIf(!hasPython && !mustRun)(
    '[F2][M2] the Python example runs as printed (python3-websocket, python3-requests)',
    async () => {
      const witness = await listen(server, [1, 2])
      const env = { PATH: process.env['PATH'], PYTHONUNBUFFERED: '1', PYTHONIOENCODING: 'utf-8', NO_PROXY: '*' }
      const child = spawn(pythonPath, ['-c', here(python)], { env })
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
      child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
      const exit = new Promise<number | null>((resolve) => child.on('exit', resolve))
      await until(
        () => `member_online, but: ${output}`,
        () => output.includes("Type: member_online\nData: {'user_id': 123, 'status': 'online'}\n"),
        30_000,
      )
      await send(server, [1, 2], '어서 와')
      await until('the message', () => output.includes('Type: message\n') && output.includes("'message': '어서 와'"))
      // The example sends once its socket has ended.
      await call(server, `DELETE ${rooms}/1/members/123`)
      await until('member_leave', () => output.includes("Type: member_leave\nData: {'user_id': 123}\n"))
      await witness.find('message', ({ user_id, data }) => user_id === 123 && data.message === '안녕!')
      expect(await exit).toBe(0)
    },
  )

  test('[F1][M2] the flows run as printed', async () => {
    const [a, b, c] = [await listen(server, [1, 123]), await listen(server, [1, 456]), await listen(server, [1, 1])]
    const clients = [a, b, c]
    expect((await call(server, `POST ${rooms}/1/messages`, { user_id: 123, message: '안녕!' })).status).toBe(201)
    expect((await call(server, `POST ${rooms}/1/read`, { user_id: 456 })).status).toBe(200)
    expect((await call(server, `POST ${rooms}/1/members`, { user_id: 789 })).status).toBe(201)
    expect((await call(server, `DELETE ${rooms}/1/members/789`)).status).toBe(200)
    const wanted = ['message', 'read', 'member_join', 'member_leave']
    for (const client of clients) {
      await client.find('member_leave')
      const shown = client.frames.filter(
        ({ user_id, type }) => type !== 'member_online' && (type !== 'member_join' || user_id === 789),
      )
      expect(shown.map(({ type }) => type)).toEqual(wanted)
    }
  })

  test('[M2] each write works as the first thing that a fresh database sees', async () => {
    const firsts: [route: string, body: unknown, status: number][] = [
      [`POST ${rooms}/1/messages`, { user_id: 123, message: '안녕하세요!', message_type: 'text', file_url: null }, 201],
      [`POST ${rooms}/2/read`, { user_id: 123 }, 200],
      [`POST ${rooms}/3/members`, { user_id: 456 }, 201],
    ]
    for (const [route, body, status] of firsts) expect([route, (await call(server, route, body)).status]).toEqual([route, status])
    expect((await call(server, `DELETE ${rooms}/3/members/456`)).status).toBe(200)
  })
})

/** As printed, without the breaks. */
const frames = [
  '{"type":"message","room_id":1,"user_id":2,"data":{"id":15,"chat_room_id":1,"user_id":2,"message":"안녕하세요!","message_type":"text","file_url":null,"is_read":false,"created_at":"2024-11-13T16:30:00Z","updated_at":"2024-11-13T16:30:00Z","user":{"id":2,"email":"user2@example.com","name":"김철수"}}}',
  '{"type":"read","room_id":1,"user_id":3,"data":{"user_id":3,"last_read_at":"2024-11-13T16:35:00Z"}}',
  '{"type":"member_join","room_id":1,"user_id":5,"data":{"id":10,"chat_room_id":1,"user_id":5,"role":"member","joined_at":"2024-11-13T16:40:00Z","last_read_at":null,"unread_count":0,"created_at":"2024-11-13T16:40:00Z","user":{"id":5,"email":"user5@example.com","name":"이영희"}}}',
  '{"type":"member_leave","room_id":1,"user_id":5,"data":{"user_id":5}}',
  '{"type":"member_online","room_id":1,"user_id":4,"data":{"user_id":4,"status":"online"}}',
  '{"type":"member_offline","room_id":1,"user_id":4,"data":{"user_id":4,"status":"offline"}}',
]

describe('printed JSON', () => {
  test('[F3][F5] the printed frames are what the schemas say, key for key', () => {
    for (const text of frames) expect(JSON.stringify(envelope.parse(JSON.parse(text)))).toBe(text)
  })

  test('[F5] live frames and answers have the printed keys in the printed order', async () => {
    const listener = await listen(server, [1, 4])
    const passer = await listen(server, [1, 5])
    await send(server, [1, 4], 'x')
    await call(server, `POST ${rooms}/1/read`, { user_id: 4 })
    await call(server, `DELETE ${rooms}/1/members/5`)
    await until('the end', () => passer.closedWith !== null)
    await listener.find('member_leave')
    for (const text of frames.slice(0, 5)) {
      const printed = JSON.parse(text)
      const live = listener.frames.find(({ type }) => type === printed.type)
      expect(keysOf(live)).toEqual(keysOf(printed))
    }
    const sent = (await send(server, [1, 4], 'y')).body
    expect(keysOf(sent.data)).toEqual(keysOf(JSON.parse(frames[0]!).data))
    expect(message.strict().parse(sent.data)).toEqual(sent.data)
    const added = (await call(server, `POST ${rooms}/1/members`, { user_id: 6 })).body
    expect(keysOf(added.data)).toEqual(keysOf(JSON.parse(frames[2]!).data))
    expect(member.strict().parse(added.data)).toEqual(added.data)
  })
})

/** Names in order, nested ones with their path. */
function keysOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [`${path}${key}`, ...keysOf(inner, `${path}${key}.`)])
}
