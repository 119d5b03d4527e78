/** What Redis does in one step. Its clock judges. */
import { leaseKeptMs } from '../registry.ts'

const now = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

/** KEYS: leases, records … Answers the time, the leases as a flat list, and the records. */
export const readRecords = `${now}
local values = {}
for nth = 2, #KEYS do values[nth - 1] = redis.call('GET', KEYS[nth]) end
return { string.format('%.0f', now), redis.call('HGETALL', KEYS[1]), values }
`

/** KEYS: record. ARGV: from, to, beforeMs, keepMs; each may be empty. */
export const replaceRecord = `${now}
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[3] ~= '' and now >= tonumber(ARGV[3]) then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1])
elseif ARGV[4] == '' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4]) end
return 1
`

/** KEYS: leases. ARGV: node, leaseMs. */
export const renewLease = `${now}
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and tonumber(known) <= now then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[2]))
if not known then
  local all = redis.call('HGETALL', KEYS[1])
  for nth = 1, #all, 2 do
    if tonumber(all[nth + 1]) < now - ${leaseKeptMs} then redis.call('HDEL', KEYS[1], all[nth]) end
  end
end
return 1
`

/** KEYS: token, channel. ARGV: the value that is its own, SHA-256. */
export const endLogin = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('PUBLISH', KEYS[2], ARGV[2])
return 1
`

/** KEYS: lock, marker. ARGV: who holds the lock, the new generation. */
export const finishRefill = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('DEL', KEYS[1])
return 1
`
