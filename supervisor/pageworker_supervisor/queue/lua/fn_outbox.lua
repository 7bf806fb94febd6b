-- The outbox: promises to deliver a result, in the order in which they are due. Taking one hides it for a while, so the
-- death of its taker loses nothing.

local TAKE_MS = 60000 -- replaced at load: Options.promise_ms

-- outbox_take: ARGV: nonce, most. Replies: promises (id, job, url, result, tries, age in ms, put), then
-- milliseconds until the next is due (-1 none). The age is told, since the taker's clock may be wrong by minutes.
local function outbox_take(argv)
  local taken = {}
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'outbox', '-inf', NOW, 'LIMIT', 0, argv[2])) do
    local key = P .. 'promise:' .. id
    local f = call('HMGET', key, 'j', 'u', 'r', 'n', 'at', 'put')
    if f[1] then
      call('HSET', key, 'tok', argv[1])
      call('ZADD', P .. 'outbox', NOW + TAKE_MS, id)
      taken[#taken + 1] = { id, f[1], f[2], f[3], f[4], NOW - tonumber(f[5]), f[6] }
    else
      call('ZREM', P .. 'outbox', id)
    end
  end
  local head = call('ZRANGE', P .. 'outbox', 0, 0, 'WITHSCORES')
  return { taken, head[2] and max(0, tonumber(head[2]) - NOW) or -1 }
end

-- outbox_done: ARGV: promises. Delivered is delivered, whoever holds the promise by now.
local function outbox_done(argv)
  for _, id in ipairs(argv) do
    call('DEL', P .. 'promise:' .. id)
    call('ZREM', P .. 'outbox', id)
  end
  return #argv
end

-- outbox_later: ARGV: promise, nonce, delay (ms). One more try was made.
local function outbox_later(argv)
  local key = P .. 'promise:' .. argv[1]
  if call('HGET', key, 'tok') ~= argv[2] then
    return 0
  end
  call('HDEL', key, 'tok')
  call('HINCRBY', key, 'n', 1)
  call('ZADD', P .. 'outbox', 'XX', NOW + tonumber(argv[3]), argv[1])
  return 1
end

-- outbox_failed: ARGV: promise, nonce, tenant, event. Given up; the result stays readable.
local function outbox_failed(argv)
  local key = P .. 'promise:' .. argv[1]
  if call('HGET', key, 'tok') ~= argv[2] then
    return 0
  end
  call('DEL', key)
  call('ZREM', P .. 'outbox', argv[1])
  call('PUBLISH', PREFIX .. ':events:' .. argv[3], argv[4])
  return 1
end

-- outbox_put: ARGV: promise, job, SHA-1 of what its result's key has been written with (Redis Cluster). Replies '' where
-- that is the job's result; a promise without a callback ends with it. Replies the job's result where that is another by
-- now: it is to be written, and this to be called again. Whoever writes last looks afterwards, so the newest stays.
local function outbox_put(argv)
  local kept = call('GET', P .. 'kept:' .. argv[2])
  if kept and redis.sha1hex(kept) ~= argv[3] then
    return kept
  end
  local key = P .. 'promise:' .. argv[1]
  local url = call('HGET', key, 'u')
  if url == '' then
    call('DEL', key)
    call('ZREM', P .. 'outbox', argv[1])
  elseif url then
    call('HSET', key, 'put', 0)
  end
  return ''
end
