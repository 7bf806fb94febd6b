-- A profile's lock. `profile:<tenant>/<profile>` has the worker that has it open, its fence, and how many of its jobs
-- run; `locks` says until when. Jobs for a held profile wait where only the holder finds them.
--
-- A profile has a context for each egress set of its jobs' modules; `sets:<tenant>/<profile>` has those with work, by when
-- they were served last. Its runner serves one of them. While others wait, a claim tells its worker, who lets the runner go
-- when it has had its time; the one that was served longest ago then is the first to be opened.
--
-- A fence never goes down, not even when a failover takes the counter back: it is at least the clock's microseconds.

local ASK_AFTER_MS = 1000
local ASK_AGAIN_MS = 5000
local ASK_AT_MOST = 4

-- Below, `f` is a profile's name and `c` one of its contexts.

local function profile_key(t, f)
  return P .. 'profile:' .. t .. '/' .. f
end

local function sets_key(t, f)
  return P .. 'sets:' .. t .. '/' .. f
end

-- A context has work that can run; it has none any more.
function Profile.enter(t, f, c)
  call('ZADD', sets_key(t, f), 'NX', NOW, c)
end

function Profile.leave(t, f, c)
  call('ZREM', sets_key(t, f), c)
  Profile.unwait(t, c)
end

-- Its contexts that have work, the one that was served longest ago first.
function Profile.contexts(t, f)
  return call('ZRANGE', sets_key(t, f), 0, -1)
end

function Profile.is_held(t, f)
  return call('EXISTS', profile_key(t, f)) == 1
end

function Profile.holder(t, f)
  local lock = call('HMGET', profile_key(t, f), 'w', 'f', 'ask')
  return lock[1], lock[2], lock[3]
end

function Profile.lock(t, f, worker)
  local fence = max(MICROS, number(call('HGET', P .. 'meta', 'fence')) + 1)
  local text = string.format('%.0f', fence)
  call('HSET', P .. 'meta', 'fence', text)
  call('HSET', profile_key(t, f), 'w', worker, 'f', text, 'run', 0)
  call('ZADD', P .. 'locks', NOW + LEASE_MS, t .. '/' .. f)
  for _, c in ipairs(Profile.contexts(t, f)) do
    for _, p in ipairs(PRIORITIES) do
      Tenant.close(t, p, c)
    end
    Profile.wait(t, c)
  end
  return text
end

function Profile.unlock(t, f)
  call('DEL', profile_key(t, f))
  call('ZREM', P .. 'locks', t .. '/' .. f)
  for _, c in ipairs(Profile.contexts(t, f)) do
    Profile.unwait(t, c)
    for _, p in ipairs(PRIORITIES) do
      if call('EXISTS', Context.key(t, c, p)) == 1 then
        Tenant.open(t, p, c, Shard.stamp())
      end
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

function Profile.wake_holder(t, f)
  local worker = Profile.holder(t, f)
  if worker then
    Wakes.worker(worker)
  end
end

-- The tenant may start jobs again: those that wait for a holder, a few of them.
function Profile.wake_holders(t)
  for _, c in ipairs(call('ZRANGE', P .. 'held:' .. t, 0, 3)) do
    Profile.wake_holder(t, Context.profile(c))
  end
end

-- A job of the profile starts or ends at the holder.
function Profile.take(t, f, c)
  call('HINCRBY', profile_key(t, f), 'run', 1)
  call('ZADD', P .. 'locks', 'XX', 'GT', NOW + LEASE_MS, t .. '/' .. f)
  call('ZADD', sets_key(t, f), 'XX', NOW, c)
  if call('ZADD', P .. 'waiting', 'XX', 'CH', NOW, t .. '/' .. c) == 1 then
    call('ZADD', P .. 'held:' .. t, 'XX', NOW, c)
  end
end

function Profile.release(t, f, fence)
  local key = profile_key(t, f)
  if fence and call('HGET', key, 'f') == fence then
    call('HINCRBY', key, 'run', -1)
  end
end

-- A worker with room asks for profiles whose holder has not served them for a while and runs none of their jobs.
function Profile.ask(me)
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'waiting', '-inf', NOW - ASK_AFTER_MS, 'LIMIT', 0, ASK_AT_MOST)) do
    local t, c = string.match(name, '^(.-)/(.*)$')
    local f = Context.profile(c)
    local lock = call('HMGET', profile_key(t, f), 'w', 'f', 'ask', 'run')
    call('ZADD', P .. 'waiting', 'XX', NOW, name) -- the next one's turn
    if lock[1] and lock[1] ~= me and number(lock[4]) <= 0 and number(lock[3]) < NOW - ASK_AGAIN_MS then
      call('HSET', profile_key(t, f), 'ask', NOW)
      Wakes.tell(lock[1], 'ask ' .. t .. ' ' .. f .. ' ' .. lock[2])
    end
  end
end

-- Locks that were not extended in time.
function Profile.expire()
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'locks', '-inf', NOW, 'LIMIT', 0, SLICE)) do
    local t, f = string.match(name, '^(.-)/(.*)$')
    Profile.unlock(t, f)
  end
end
