-- A domain: its limits and, where it is used up, the lanes that wait for it. A lane is taken out of its context
-- as a whole, so a claim never looks past many jobs that cannot run.
--
-- Lanes come back one at a time, the longest waiting first, as permits and tokens do. A lane whose tenant cannot
-- use the permit now goes back to its tenant without being counted; while permits stay unused and lanes still
-- wait, a timer looks again.

local UNPARK_AT_MOST = 16
local LOOK_AGAIN_MS = 200

local function domain_key(d)
  return P .. 'domain:' .. d
end

function Domain.read(d)
  local f = call('HMGET', domain_key(d), 'lim', 'run', 'tk', 'ts')
  local who = {
    name = d,
    run = number(f[2]),
    tk = number(f[3]),
    ts = f[4] and tonumber(f[4]),
  }
  who.weight, who.concurrency, who.rate, who.burst = Limits.parse(f[1] or '1 1000 0 100')
  return who
end

function Domain.is_parked(lane, d)
  return call('ZSCORE', domain_key(d) .. ':parked', lane)
end

-- Take a lane out of its context until the domain has room.
function Domain.park(t, c, d, why, at)
  for _, p in ipairs(PRIORITIES) do
    Context.drop_lane(t, c, d, p)
  end
  call('ZADD', domain_key(d) .. ':parked', 'NX', Shard.stamp(), t .. '/' .. c .. '/' .. d)
  call('HSET', domain_key(d), 'pk', 1)
  if why == 'r' then
    Timers.add('d' .. d, at)
  end
end

-- Give waiting lanes back to their tenants until `wanted` of them can use it.
function Domain.unpark(d, wanted)
  local parked = domain_key(d) .. ':parked'
  local why, at = Limits.barred(Domain.read(d))
  if why == 'r' then
    Timers.add('d' .. d, at)
  end
  if why then
    return
  end
  for _ = 1, UNPARK_AT_MOST do
    local lane = call('ZPOPMIN', parked)[1]
    if not lane then
      call('HDEL', domain_key(d), 'pk')
      return
    end
    local t, c = string.match(lane, '^([^/]*)/([^/]*)/')
    for _, p in ipairs(PRIORITIES) do
      if call('EXISTS', Lane.key(t, c, d, p)) == 1 then
        Context.add_lane(t, c, d, p)
      end
    end
    if not call('HGET', P .. 'tenant:' .. t, 'pk') then
      wanted = wanted - 1
    end
    if wanted <= 0 then
      break
    end
  end
  Timers.add('d' .. d, NOW + LOOK_AGAIN_MS)
end

function Domain.take(who)
  Limits.take(who)
  if who.rate > 0 then
    call('HSET', domain_key(who.name), 'run', who.run, 'tk', who.tk, 'ts', who.ts)
  else
    call('HSET', domain_key(who.name), 'run', who.run)
  end
end

function Domain.release(d)
  call('HINCRBY', domain_key(d), 'run', -1)
  if call('HGET', domain_key(d), 'pk') then
    Domain.unpark(d, 1)
  end
end

function Domain.limit(d, text)
  if call('HGET', domain_key(d), 'lim') == text then
    return
  end
  call('HSET', domain_key(d), 'lim', text)
  if call('HGET', domain_key(d), 'pk') then
    Domain.unpark(d, ROOM_TOKENS)
  end
end

function Domain.enrol(d)
  if call('HINCRBY', domain_key(d), 'n', 1) == 1 then
    call('PERSIST', domain_key(d))
  end
end

function Domain.discharge(d)
  if call('HINCRBY', domain_key(d), 'n', -1) <= 0 then
    call('EXPIRE', domain_key(d), Limits.memory_seconds(Domain.read(d)))
  end
end
