import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../test/chat.ts'
import { openTcpProxy } from '../../../test/tcp-proxy.ts'
import { describeRedis, startRedis, type TestRedis } from '../../bus/redis/testing.ts'
import type { Login } from '../../core/model.ts'
import { withFaults } from '../../storage/faulty.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { Directory } from '../../storage/storage.ts'
import { enter, isIn, isOpen, listenTo, loginOf, testRegistry, type TestRegistry } from '../registry.contract.ts'
import { RegistryUnavailable, type Registry } from '../registry.ts'
import { createRedisRegistry } from './redis-registry.ts'
import { createTokenKeys } from './token-keys.ts'

const marker = 'auth:generation'
const opened: Registry[] = []
let notices: string[] = []

function open(url: string, directory: Directory, tokenKey = 'auth:token:{sha256}'): Registry {
  const registry = createRedisRegistry({ url, tokenKey, directory, onNotice: (text) => notices.push(text) })
  opened.push(registry)
  return registry
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((registry) => registry.close()))
  notices = []
})

describeRedis('the registry over Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  async function stand(tokenKey?: string): Promise<TestRegistry> {
    await redis.command('FLUSHALL')
    const { directory } = openMemoryStorage()
    const [one, two] = [open(redis.url, directory, tokenKey), open(redis.url, directory, tokenKey)]
    return { directory, one: await listenTo(one), two: await listenTo(two) }
  }

  testRegistry(() => stand())

  describe('[C2] in Redis a token', () => {
    it('is auth:token:<SHA-256>, with the user’s id as value and the rest of its life as TTL', async () => {
      const login = await enter(await stand(), loginOf('a', { expiresAt: Date.now() + 60_000 }))
      const key = `auth:token:${login.sha256}`
      expect(await redis.command('GET', key)).toBe('7')
      const leftMs = Number(await redis.command('PTTL', key))
      expect(leftMs).toBeGreaterThan(30_000)
      expect(leftMs).toBeLessThanOrEqual(60_000)
    })

    it.each([
      ['7', true],
      ['mina', true],
      ['host|7', true],
      ['', true],
      ['8', false],
      ['minas', false],
    ])('that a login server wrote with the value "%s" counts: %s', async (value, counts) => {
      const { one } = await stand()
      const login = loginOf('theirs')
      await redis.command('SET', `auth:token:${login.sha256}`, value)
      expect(await isIn(one, login)).toBe(counts)
    })

    it('does not count where its key is of another type', async () => {
      const { one } = await stand()
      const login = loginOf('list')
      await redis.command('RPUSH', `auth:token:${login.sha256}`, '7')
      expect(await isIn(one, login)).toBe(false)
    })

    it('whose key somebody removed is revoked, and does not come back when Redis is filled again', async () => {
      const at = await stand()
      const [login, other] = [await enter(at, loginOf('a')), await enter(at, loginOf('b'))]
      await redis.command('DEL', `auth:token:${login.sha256}`)
      expect(await at.two.registry.checkLogins([login, other])).toEqual([false, true])
      await redis.command('FLUSHALL')
      await until('the filling', async () => (await isOpen(at.one.registry)) && (await isOpen(at.two.registry)))
      expect(await at.one.registry.checkLogins([login, other])).toEqual([false, true])
    })

    it('is heard of where a login server publishes its end', async () => {
      const { one } = await stand()
      await redis.command('PUBLISH', 'auth:ended', 'ab')
      await until('the word', () => one.ended.length === 1)
    })
  })

  describe('[C2] with keys of another pattern', () => {
    it('of the token itself, needs it, also to fill Redis again', async () => {
      const at = await stand('session:{token}')
      expect(at.one.registry.needsTokens).toBe(true)
      const login = await enter(at, loginOf('a'))
      expect(await redis.command('GET', `session:${login.token}`)).toBe('7')
      expect(await isIn(at.two, login)).toBe(true)
      expect(await isIn(at.two, { ...login, token: null })).toBe(false)
      await redis.command('FLUSHALL')
      await until('the filling', () => isOpen(at.two.registry))
      expect(await isIn(at.two, login)).toBe(true)
    })

    it('of the user alone, takes the token or its SHA-256, and the newest is the one that counts', async () => {
      const at = await stand('jwt:{userId}')
      const first = await enter(at, loginOf('first'))
      expect(await redis.command('GET', 'jwt:host|7')).toBe(first.sha256)
      const second = await enter(at, loginOf('second'))
      expect(await at.one.registry.checkLogins([first, second])).toEqual([false, true])
      await redis.command('SET', 'jwt:host|7', first.token!)
      expect(await at.one.registry.checkLogins([first, second])).toEqual([true, false])
      await at.one.registry.endLogin(second)
      expect(await isIn(at.one, first)).toBe(true)
      await at.one.registry.endLogin(first)
      expect(await redis.command('EXISTS', 'jwt:host|7')).toBe(0)
      for (const value of ['7', '', 'mina']) {
        await redis.command('SET', 'jwt:host|7', value)
        expect(await isIn(at.one, first)).toBe(false)
      }
    })

    it('of the user alone, is filled again with the newest', async () => {
      const at = await stand('jwt:{userId}')
      await enter(at, loginOf('first'))
      const second = await enter(at, loginOf('second'))
      await redis.command('FLUSHALL')
      await until('the filling', () => isOpen(at.two.registry))
      expect(await isIn(at.two, second)).toBe(true)
    })
  })

  describe('[C2] that was emptied', () => {
    it('says so to nobody as a "no", and is filled by one node from the logins that are known', async () => {
      const at = await stand()
      const logins: Login[] = []
      for (let nth = 0; nth < 1_200; nth++) logins.push(await enter(at, loginOf(`${nth}`)))
      const before = await redis.command('GET', marker)
      await redis.command('FLUSHALL')
      const answers: boolean[][] = []
      let refusals = 0
      await until('the filling', async () => {
        for (const { registry } of [at.one, at.two]) {
          await registry.checkLogins(logins).then(
            (answer) => answers.push(answer),
            (error) => {
              expect(error).toBeInstanceOf(RegistryUnavailable)
              refusals += 1
            },
          )
        }
        return answers.length > 3
      })
      expect(answers.every((answer) => answer.every(Boolean))).toBe(true)
      expect(refusals).toBeGreaterThan(0)
      expect(await redis.command('GET', marker)).not.toBe(before)
      await until('both', () => at.one.opened > 1 && at.two.opened > 1)
    })

    it('is filled also where one of the logins ends at a time that Redis would refuse', async () => {
      await redis.command('FLUSHALL')
      const { directory } = openMemoryStorage()
      const ends = [Date.now() + 60_000.5, 1e22, Date.now() + 60_000]
      const logins = ends.map((expiresAt, nth) => loginOf(`${nth}`, { expiresAt }))
      for (const login of logins) await directory.keepLogin(login)
      const { registry } = await listenTo(open(redis.url, directory))
      expect(await registry.checkLogins(logins)).toEqual([true, true, true])
    })

    it('is found out also where nobody asks for a token', async () => {
      const { one } = await stand()
      await redis.command('FLUSHALL')
      await until('the filling', () => one.opened === 2)
      expect(await redis.command('EXISTS', marker)).toBe(1)
    })

    it('keeps a node’s tokens waiting until it has told what is so there', async () => {
      await redis.command('FLUSHALL')
      const { directory } = openMemoryStorage()
      const registry = open(redis.url, directory)
      let tell = () => {}
      const told = new Promise<void>((resolve) => (tell = resolve))
      let asked = false
      registry.listen({
        onEnded() {},
        onBound() {},
        onOpen() {
          asked = true
          return told
        },
      })
      await until('the question', () => asked)
      expect(await redis.command('EXISTS', marker)).toBe(1)
      expect(await isOpen(registry)).toBe(false)
      tell()
      await until('the registry', () => isOpen(registry))
    })

    it('is not open before the logins could be read from the database', async () => {
      await redis.command('FLUSHALL')
      const { storage, setAway } = withFaults(openMemoryStorage())
      await storage.directory.keepLogin(loginOf('a'))
      setAway(true)
      const registry = open(redis.url, storage.directory)
      registry.listen({ onOpen: async () => {}, onEnded() {}, onBound() {} })
      await until('a try', async () => (await redis.command('EXISTS', 'madang:refill')) === 1)
      expect(await isOpen(registry)).toBe(false)
      setAway(false)
      await redis.command('DEL', 'madang:refill')
      await until('the registry', () => isOpen(registry))
      expect(await registry.checkLogins([loginOf('a')])).toEqual([true])
    })
  })

  describe('[C2] while Redis is away', () => {
    it('nobody is let in, and a login made then counts when it is back, at whichever node', async () => {
      const at = await stand()
      const before = await enter(at, loginOf('before'))
      await redis.kill()
      await expect(at.one.registry.checkLogins([before])).rejects.toBeInstanceOf(RegistryUnavailable)
      const meanwhile = loginOf('meanwhile')
      await at.directory.keepLogin(meanwhile)
      await expect(at.one.registry.enterLogin(meanwhile)).rejects.toBeInstanceOf(RegistryUnavailable)
      await redis.start()
      await until('the registry', async () => (await isOpen(at.one.registry)) && (await isOpen(at.two.registry)))
      expect(await redis.command('EXISTS', `auth:token:${meanwhile.sha256}`)).toBe(1)
      expect(await at.two.registry.checkLogins([before, meanwhile])).toEqual([true, true])
      expect(notices.filter((text) => text.startsWith('The registry is away ('))).toHaveLength(2)
      expect(notices.filter((text) => text === 'The registry is there again')).toHaveLength(2)
    })

    it('a login that another node could not enter is entered by the one that is asked', async () => {
      const at = await stand()
      const login = loginOf('theirs')
      await at.directory.keepLogin(login)
      expect(await isIn(at.two, login)).toBe(true)
      expect(await redis.command('EXISTS', `auth:token:${login.sha256}`)).toBe(1)
      await redis.command('DEL', `auth:token:${login.sha256}`)
      expect(await isIn(at.two, login)).toBe(false)
    })

    /** A node whose database answers when it is let go. */
    async function slowNode(meanwhile: () => Promise<void>): Promise<TestRegistry> {
      await redis.command('FLUSHALL')
      const { directory } = openMemoryStorage()
      const findLogins: Directory['findLogins'] = async (sha256s) => {
        await meanwhile()
        return directory.findLogins(sha256s)
      }
      const [one, two] = [open(redis.url, directory), open(redis.url, { ...directory, findLogins })]
      return { directory, one: await listenTo(one), two: await listenTo(two) }
    }

    it('a login that is entered while it is asked for counts, and is not taken for a revoked one', async () => {
      const login = loginOf('a')
      const at = await slowNode(async () => void (await enter(at, login)))
      expect(await isIn(at.two, login)).toBe(true)
      expect(await at.directory.findLogins([login.sha256])).toHaveLength(1)
    })

    it('a login of which Redis forgot the key as it was emptied is not taken for a revoked one', async () => {
      const login = loginOf('a')
      const at = await slowNode(async () => void (await redis.command('FLUSHALL')))
      await enter(at, login)
      await redis.command('DEL', `auth:token:${login.sha256}`)
      await expect(isIn(at.two, login)).rejects.toBeInstanceOf(RegistryUnavailable)
      expect(await at.directory.findLogins([login.sha256])).toHaveLength(1)
    })

    it('a login made then is entered when the line stands again, without being asked for', async () => {
      const at = await stand()
      const login = loginOf('waiting')
      await at.directory.keepLogin(login)
      await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await until('its key', async () => (await redis.command('EXISTS', `auth:token:${login.sha256}`)) === 1)
    })

    it('a Redis that stands still is one that is away', async () => {
      const { one } = await stand()
      redis.pause()
      await expect(one.registry.checkLogins([loginOf('a')])).rejects.toBeInstanceOf(RegistryUnavailable)
      redis.resume()
      await until('the registry', () => isOpen(one.registry))
    })

    it('a Redis that a failover made a replica is one that is away, until it is the first again', async () => {
      const { registry } = (await stand()).one
      notices = []
      await redis.command('REPLICAOF', '127.0.0.1', '1')
      await expect(registry.renewLease('n', 30_000)).rejects.toThrow('READONLY')
      await until('its being away', async () => !(await isOpen(registry)) && notices.length > 0)
      await redis.command('REPLICAOF', 'NO', 'ONE')
      await until('the registry', () => isOpen(registry))
      expect(await registry.renewLease('n', 30_000)).toBe(true)
      expect(notices).toEqual(['The registry is away (READONLY): nobody new is let in at /chat', 'The registry is there again'])
    })

    it('a line on which nothing comes any more is replaced', async () => {
      const { directory } = openMemoryStorage()
      const proxy = await openTcpProxy(redis.port)
      const { registry } = await listenTo(open(redis.url.replace(/\d+$/, `${proxy.port}`), directory))
      proxy.set('freeze')
      await expect(registry.checkLogins([])).rejects.toThrow('silent')
      proxy.set('fine')
      await until('the registry', () => isOpen(registry))
      expect(notices).toEqual([expect.stringMatching(/^The registry is away \(/), 'The registry is there again'])
      await proxy.close()
    })
  })

  it('[A6] says without the password why Redis refuses it', async () => {
    const { directory } = openMemoryStorage()
    open(`redis://:wrong-password@127.0.0.1:${redis.port}`, directory).listen({
      onOpen: async () => {},
      onEnded() {},
      onBound() {},
    })
    await until('a notice', () => notices.length > 0)
    expect(notices).toEqual(['The registry is away (WRONGPASS): nobody new is let in at /chat'])
  })
})

describe('a registry over a Redis that is not there', () => {
  it('[C2] refuses at once, and is closed at once', async () => {
    const { directory } = openMemoryStorage()
    const registry = open('redis://127.0.0.1:1', directory)
    registry.listen({ onOpen: async () => {}, onEnded() {}, onBound() {} })
    await expect(registry.checkLogins([loginOf('a')])).rejects.toBeInstanceOf(RegistryUnavailable)
    await expect(registry.readRecords([])).rejects.toBeInstanceOf(RegistryUnavailable)
    await until('a notice', () => notices.length === 1)
  })
})

describe('the key of a token', () => {
  it('holds what its pattern names, as it is', () => {
    const login = loginOf('a', { subject: '$& {token} {sha256}' })
    expect(createTokenKeys('s:{userId}:{token}').keyOf(login)).toBe(`s:$& {token} {sha256}:${login.token}`)
    expect(createTokenKeys('s:{userId}:{sha256}').keyOf(login)).toBe(`s:$& {token} {sha256}:${login.sha256}`)
  })
})
