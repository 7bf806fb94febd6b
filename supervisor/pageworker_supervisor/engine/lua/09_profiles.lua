-- A profile's lock. `profile:<tenant>/<profile>` has the worker that has it open, its fence, and how many of its jobs
-- run; `locks` says until when. Jobs for a held profile wait where only the holder finds them.
--
-- A fence never goes down, not even when a failover takes the counter back: it is at least the clock's microseconds.

local ASK_AFTER_MS = 1000
local ASK_AGAIN_MS = 5000
local ASK_AT_MOST = 4

local function profile_key(t, c)
  return P .. 'profile:' .. t .. '/' .. c
end

function Profile.is_held(t, c)
  return call('EXISTS', profile_key(t, c)) == 1
end

function Profile.holder(t, c)
  local f = call('HMGET', profile_key(t, c), 'w', 'f', 'ask')
  return f[1], f[2], f[3]
end

function Profile.lock(t, c, worker)
  local fence = max(MICROS, number(call('HGET', P .. 'meta', 'fence')) + 1)
  local text = string.format('%.0f', fence)
  call('HSET', P .. 'meta', 'fence', text)
  call('HSET', profile_key(t, c), 'w', worker, 'f', text, 'run', 0)
  call('ZADD', P .. 'locks', NOW + LEASE_MS, t .. '/' .. c)
  for _, p in ipairs(PRIORITIES) do
    Tenant.close(t, p, c)
  end
  if Context.has_work(t, c) then
    Profile.wait(t, c)
  end
  return text
end

function Profile.unlock(t, c)
  call('DEL', profile_key(t, c))
  call('ZREM', P .. 'locks', t .. '/' .. c)
  Profile.unwait(t, c)
  for _, p in ipairs(PRIORITIES) do
    if call('EXISTS', Context.key(t, c, p)) == 1 then
      Tenant.open(t, p, c, Shard.stamp())
    end
  end
end

-- Work waits for the holder: `waiting` says since when it was not served.
function Profile.wait(t, c)
  call('ZADD', P .. 'held:' .. t, 'NX', NOW, c)
  call('ZADD', P .. 'waiting', 'NX', NOW, t .. '/' .. c)
end

function Profile.unwait(t, c)
  call('ZREM', P .. 'held:' .. t, c)
  call('ZREM', P .. 'waiting', t .. '/' .. c)
end

function Profile.wake_holder(t, c)
  local worker = Profile.holder(t, c)
  if worker then
    Wakes.worker(worker)
  end
end

-- The tenant may start jobs again: those that wait for a holder, a few of them.
function Profile.wake_holders(t)
  for _, c in ipairs(call('ZRANGE', P .. 'held:' .. t, 0, 3)) do
    Profile.wake_holder(t, c)
  end
end

-- A job of the profile starts or ends at the holder.
function Profile.take(t, c)
  call('HINCRBY', profile_key(t, c), 'run', 1)
  call('ZADD', P .. 'locks', 'XX', 'GT', NOW + LEASE_MS, t .. '/' .. c)
  if call('ZADD', P .. 'waiting', 'XX', 'CH', NOW, t .. '/' .. c) == 1 then
    call('ZADD', P .. 'held:' .. t, 'XX', NOW, c)
  end
end

function Profile.release(t, c, fence)
  local key = profile_key(t, c)
  if fence and call('HGET', key, 'f') == fence then
    call('HINCRBY', key, 'run', -1)
  end
end

-- A worker with room asks for profiles whose holder has not served them for a while and runs none of their jobs.
function Profile.ask(me)
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'waiting', '-inf', NOW - ASK_AFTER_MS, 'LIMIT', 0, ASK_AT_MOST)) do
    local t, c = string.match(name, '^(.-)/(.*)$')
    local f = call('HMGET', profile_key(t, c), 'w', 'f', 'ask', 'run')
    call('ZADD', P .. 'waiting', 'XX', NOW, name) -- the next one's turn
    if f[1] and f[1] ~= me and number(f[4]) <= 0 and number(f[3]) < NOW - ASK_AGAIN_MS then
      call('HSET', profile_key(t, c), 'ask', NOW)
      Wakes.tell(f[1], 'ask ' .. t .. ' ' .. c .. ' ' .. f[2])
    end
  end
end

-- Locks that were not extended in time.
function Profile.expire()
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'locks', '-inf', NOW, 'LIMIT', 0, SLICE)) do
    local t, c = string.match(name, '^(.-)/(.*)$')
    Profile.unlock(t, c)
  end
end
