/** The contract's examples, run as printed by the real clients: only the address and the token are put in. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import vm from 'node:vm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../../test/chat.ts'
import { openGuild, type Guild } from './guild.fixture.ts'

let guild: Guild
beforeAll(async () => {
  guild = await openGuild()
})
afterAll(() => guild.server.stop())

const run = promisify(execFile)
let token = ''

/** In a shell, against our port. */
async function shell(command: string): Promise<unknown> {
  const here = command.replaceAll('http://localhost:8000', guild.server.url).replaceAll('YOUR_TOKEN_HERE', token)
  const { stdout } = await run('bash', ['-c', here.replace('curl ', 'curl --silent --show-error ')])
  return JSON.parse(stdout)
}

const register = `curl -X POST "http://localhost:8000/auth/register" \\
  -H "Content-Type: application/json" \\
  -d '{
    "username": "testuser",
    "email": "test@example.com",
    "password": "password123"
  }'`

const login = `curl -X POST "http://localhost:8000/auth/login" \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -d "username=testuser&password=password123"`

const createServer = `curl -X POST "http://localhost:8000/servers/" \\
  -H "Authorization: Bearer YOUR_TOKEN_HERE" \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "My Server",
    "description": "My first server"
  }'`

const createChannel = `curl -X POST "http://localhost:8000/channels/" \\
  -H "Authorization: Bearer YOUR_TOKEN_HERE" \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "general",
    "description": "General discussion",
    "server_id": 1
  }'`

const chat = `const token = "YOUR_JWT_TOKEN";
const channelId = 1;
const ws = new WebSocket(\`ws://localhost:8000/ws/\${channelId}?token=\${token}\`);

ws.onopen = () => {
  console.log("Connected to chat");

  // 메시지 전송
  ws.send(JSON.stringify({
    content: "Hello, World!"
  }));
};

ws.onmessage = (event) => {
  const message = JSON.parse(event.data);
  console.log(\`\${message.author_username}: \${message.content}\`);
};

ws.onclose = () => {
  console.log("Disconnected from chat");
};
`

test('[M2] [G3] [G6] [A2] the curl examples make a user, a token, server 1 and channel 1', async () => {
  expect(await shell(register)).toMatchObject({ username: 'testuser', email: 'test@example.com', display_name: 'testuser' })
  const signedIn = (await shell(login)) as { access_token: string }
  expect(signedIn).toEqual({
    access_token: expect.stringMatching(/^eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\./),
    token_type: 'bearer',
  })
  token = signedIn.access_token
  expect(await shell(createServer)).toMatchObject({ id: 1, name: 'My Server', description: 'My first server', icon_url: null })
  expect(await shell(createChannel)).toMatchObject({ id: 1, name: 'general', description: 'General discussion', server_id: 1 })
})

test('[M2] [G7] the JavaScript example connects, sends, and hears itself', async () => {
  const lines: string[] = []
  const code = chat.replace('localhost:8000', `127.0.0.1:${guild.server.port}`).replace('YOUR_JWT_TOKEN', token)
  const sockets: WebSocket[] = []
  class Socket extends WebSocket {
    constructor(url: string) {
      super(url)
      sockets.push(this)
    }
  }
  vm.runInNewContext(code, { WebSocket: Socket, console: { log: (line: string) => lines.push(line) }, JSON })
  await until('the message', () => lines.length >= 2)
  sockets[0]!.close()
  await until('the close', () => lines.length >= 3)
  expect(lines).toEqual(['Connected to chat', 'testuser: Hello, World!', 'Disconnected from chat'])
})
