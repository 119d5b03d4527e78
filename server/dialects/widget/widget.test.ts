/** The contract as its clients know it: stock socket.io-client, and tokens that a host signed with jsonwebtoken. */
import jwt from 'jsonwebtoken'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../test/chat.ts'
import { call, done } from '../../../test/clients.ts'
import { startServer, testSecret, type TestServer } from '../../../test/harness.ts'
import { closeGuests, enterGuest, openGuest, signGuest, type Transports } from './widget.fixture.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterEach(() => {
  closeGuests()
  expect(server.logged).toEqual([])
})
afterAll(() => server.stop())

let lastProject = 0
const newProject = () => `project ${++lastProject}`

describe('chatting', () => {
  it.each<Transports>(['usual', 'polling', 'websocket'])(
    '[W1][W3] a stock client gets a history and chats, by %s',
    async (by) => {
      const project = newProject()
      const ann = await enterGuest(server, signGuest('Ann', project, { avatar: 'https://shop.test/a.png' }), { by })
      const bob = await enterGuest(server, signGuest('밥', project), { by })
      ann.socket.emit('chat message', '안녕하세요')
      await Promise.all([ann.have(2), bob.have(2)])
      bob.socket.emit('chat message', 'hi')
      const heard = await ann.have(3)
      expect(await bob.have(3)).toEqual(heard)
      const [history, first, second] = heard
      expect(history).toEqual({ name: 'history', data: [], cursor: undefined })
      expect(Object.keys(first!.data)).toEqual(['id', 'username', 'avatar', 'content', 'created_at'])
      expect(first).toMatchObject({
        name: 'chat message',
        data: { username: 'Ann', avatar: 'https://shop.test/a.png', content: '안녕하세요' },
      })
      expect(second).toMatchObject({ name: 'chat message', data: { username: '밥', avatar: null, content: 'hi' } })
      expect(first!.data.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      const { name } = ann.socket.io.engine.transport
      expect(name).toBe(by === 'polling' ? 'polling' : 'websocket')
    },
  )

  it('[W1] a token with only username and projectId is good, and one with more', async () => {
    const project = newProject()
    const plain = jwt.sign({ username: 'Ann', projectId: project }, testSecret, { noTimestamp: true })
    const more = jwt.sign({ username: 'Bob', projectId: project, role: 'vip', sub: '17', id: 1 }, testSecret, { expiresIn: '1h' })
    for (const token of [plain, more]) await enterGuest(server, token)
  })

  it('[W1] socket.io.js is served, and a page of another origin may load it and chat', async () => {
    const script = await fetch(`${server.url}/socket.io/socket.io.js`)
    expect([script.status, script.headers.get('content-type')]).toEqual([200, expect.stringContaining('javascript')])
    expect(await script.text()).toContain('Socket.IO v4')
    const page = { origin: 'https://shop.test' }
    const handshake = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, { headers: page })
    expect([handshake.status, handshake.headers.get('access-control-allow-origin')]).toEqual([200, '*'])
    await enterGuest(server, signGuest('Ann', newProject()), { headers: page, by: 'websocket' })
  })

  it('[W3] the history is the latest 50, oldest first, and no more come with it', async () => {
    const project = newProject()
    const ann = await enterGuest(server, signGuest('Ann', project))
    const sent = Array.from({ length: 60 }, (_, nth) => `m${nth}`)
    const answers = await Promise.all(sent.map((text) => ann.send(text)))
    const bob = await enterGuest(server, signGuest('Bob', project))
    await bob.settled()
    expect(bob.heard).toHaveLength(1)
    expect(bob.contents()).toEqual(sent.slice(-50))
    expect(bob.messages().map(({ id }) => id)).toEqual(answers.slice(-50).map(({ id }) => id))
    await ann.settled()
    expect(ann.contents()).toEqual(sent)
  })

  it('[W3] a project is a room of its own', async () => {
    const ann = await enterGuest(server, signGuest('Ann', newProject()))
    const bob = await enterGuest(server, signGuest('Bob', newProject()))
    await ann.send('for my project')
    await bob.settled()
    expect(bob.contents()).toEqual([])
  })

  it('[W3] what is sent while the transport is upgraded comes once and in order', async () => {
    const project = newProject()
    const ann = await enterGuest(server, signGuest('Ann', project), { by: 'websocket' })
    const token = signGuest('Bob', project)
    const bobs = Array.from({ length: 8 }, () => openGuest(server, token))
    const sent: string[] = []
    while (!bobs.every(({ socket }) => socket.io.engine?.transport?.name === 'websocket')) {
      sent.push(`m${sent.length}`)
      await ann.send(sent.at(-1))
    }
    for (const bob of bobs) {
      await until('all of them', () => bob.contents().at(-1) === sent.at(-1))
      expect(bob.contents()).toEqual(sent.slice(-bob.contents().length))
    }
  })

  it('[W10] older messages come by asking, 50 at a time, oldest first', async () => {
    const project = newProject()
    const ann = await enterGuest(server, signGuest('Ann', project))
    const ids = (await Promise.all(Array.from({ length: 120 }, (_, nth) => ann.send(`m${nth}`)))).map(({ id }) => id!)
    const older = async (before: number) => (await ann.ask('older', { before })).messages!
    const page = await older(ids[100]!)
    expect(page.map(({ id }) => id)).toEqual(ids.slice(50, 100))
    expect(page[0]).toMatchObject({ username: 'Ann', avatar: null, content: 'm50' })
    expect((await older(page[0]!.id)).map(({ id }) => id)).toEqual(ids.slice(0, 50))
    expect(await older(ids[0]!)).toEqual([])
    const foreign = await enterGuest(server, signGuest('Ann', newProject()))
    expect(await foreign.ask('older', { before: ids[100] })).toEqual({ error: 'Message not found' })
  })
})

describe('sending', () => {
  it('[W4] an ack tells the id; what is no message is told through it alone, and nobody hears it', async () => {
    const ann = await enterGuest(server, signGuest('Ann', newProject()))
    const bad = [
      5,
      null,
      {},
      [],
      true,
      '',
      ' \n\t ',
      Buffer.from('x'),
      { _placeholder: true, num: 0 },
      '가'.repeat(4_001),
      'a\0b',
      '\ud800',
    ]
    for (const content of bad) {
      ann.socket.emit('chat message', content)
      expect(await ann.send(content)).toEqual({ error: expect.any(String) })
    }
    ann.socket.emit('chat message')
    ann.socket.emit('something else', 'x')
    const long = '😀'.repeat(4_000)
    const { id } = await ann.send(long)
    await ann.settled()
    expect(ann.messages()).toMatchObject([{ id, content: long }])
  })

  it('[W4][A4] text is kept to the byte, and markup is text', async () => {
    const ann = await enterGuest(server, signGuest('Ann', newProject()))
    const texts = [' a ', '<script>alert(1)</script>', '42["chat message","x"]', '\u2028\u0001"\\', '각'.normalize('NFD')]
    for (const text of texts) await ann.send(text)
    await ann.settled()
    expect(ann.contents()).toEqual(texts)
  })

  it('[W4][A8] a key makes a retry harmless, also from another socket, and conflicts with another text', async () => {
    const project = newProject()
    const [ann, again, bob] = [
      await enterGuest(server, signGuest('Ann', project)),
      await enterGuest(server, signGuest('Ann', project)),
      await enterGuest(server, signGuest('Bob', project)),
    ]
    const { id } = await ann.send('once', { key: 'k1' })
    expect(await ann.send('once', { key: 'k1' })).toEqual({ id })
    expect(await again.send('once', { key: 'k1' })).toEqual({ id })
    expect(await ann.send('other', { key: 'k1' })).toEqual({ error: expect.stringContaining('another request') })
    expect(await bob.send('once', { key: 'k1' })).toEqual({ id: id! + 1 })
    for (const key of ['', 'a b', 'k'.repeat(129), '키', 5, {}])
      expect(await ann.send('x', { key })).toEqual({ error: expect.any(String) })
    for (const options of [null, 'key', 5, {}]) expect(await ann.send('y', options)).toEqual({ id: expect.any(Number) })
    await ann.settled()
    expect(ann.contents()).toEqual(['once', 'once', 'y', 'y', 'y', 'y'])
  })

  it('[W4] messages of one socket keep their order, with and without an ack', async () => {
    const ann = await enterGuest(server, signGuest('Ann', newProject()))
    const texts = Array.from({ length: 200 }, (_, nth) => `m${nth}`)
    const answers = texts.map((text, nth) => (nth % 3 === 0 ? ann.send(text) : void ann.socket.emit('chat message', text)))
    await ann.have(201)
    await Promise.all(answers)
    expect(ann.contents()).toEqual(texts)
  })
})

describe('over HTTP', () => {
  it('[W5][M2] the example as printed gives a token that is good for 24 hours', async () => {
    const body = { username: '사용자닉네임', avatar: 'https://example.com/image.png', projectId: 'my_project_v1' }
    const answer = await call(server, 'POST /api/generate-token', body)
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['token']])
    const { iat, exp, ...claims } = jwt.verify(answer.body.token, testSecret) as jwt.JwtPayload
    expect([claims, exp! - iat!]).toMatchObject([body, 86_400])
    const ann = await enterGuest(server, answer.body.token)
    await ann.send('보낼 메시지 내용')
    expect(ann.messages()).toMatchObject([{ username: '사용자닉네임', avatar: 'https://example.com/image.png' }])
  })

  it.each([
    [{ projectId: 'x' }, 'username is required'],
    [{ username: 'x' }, 'projectId is required'],
    [{ username: '', projectId: 'x' }, 'username is required'],
    [{ username: null, projectId: 'x' }, 'username is required'],
    [{ username: 'x', projectId: 5 }, 'projectId is not as it should be'],
    [{ username: 'a\u0007', projectId: 'x' }, 'username is not as it should be'],
    [{ username: 'x'.repeat(101), projectId: 'x' }, 'username is not as it should be'],
    [{ username: 'x', projectId: 'x', avatar: 5 }, 'avatar is not as it should be'],
    [[], 'username and projectId are required'],
    ['{', 'The body is not JSON'],
    [undefined, 'username and projectId are required'],
  ])('[W5][A3] %j is a 400 {error}', async (body, error) => {
    const answer = await call(server, 'POST /api/generate-token', body, { 'content-type': 'application/json' })
    expect([answer.status, answer.body]).toEqual([400, { error }])
  })

  it('[A3] errors are {error}, whoever made them', async () => {
    const bad = await call(server, 'DELETE /api/generate-token')
    expect([bad.status, bad.headers.get('allow'), bad.body]).toEqual([405, 'POST', { error: 'Method not allowed' }])
    for (const path of ['/api/projects', '/socket.io/secret.js', '/socket.io/a/b', '/widget/none']) {
      const answer = await call(server, `GET ${path}`)
      expect([answer.status, answer.body]).toEqual([404, { error: 'Not found' }])
    }
    expect((await call(server, 'GET /socket%2eio/?EIO=4&transport=polling')).status).toBe(404)
    expect((await call(server, 'HEAD /socket.io/')).status).toBe(405)
  })

  it("[W9] a project's room has one number, also before anybody came, and many who ask at once get the same", async () => {
    const project = '가게/별:1'
    const ask = () => done(server, `GET /api/projects/${encodeURIComponent(project)}`)
    const answers = await Promise.all([ask(), ask(), ask()])
    expect(answers).toEqual([answers[0], answers[0], answers[0]])
    expect(answers[0]).toEqual({ projectId: project, roomId: expect.any(Number) })
    for (const bad of ['%00', 'x'.repeat(101), '%07'])
      expect((await call(server, `GET /api/projects/${bad}`)).status).toBeGreaterThanOrEqual(400)
  })

  it('[M2] a credential that is sent and bad is a 401 in development too, an account token among them', async () => {
    for (const token of ['x', '', signGuest('Ann', 'x'), jwt.sign({ sub: 'ann' }, testSecret)]) {
      const answer = await call(server, 'GET /api/projects/x', undefined, { authorization: `Bearer ${token}` })
      expect([answer.status, answer.body]).toEqual([401, { error: expect.any(String) }])
    }
  })
})
