-- Workers: `workers` has when each was last heard of. A name in the consumer group goes only when nothing is pending
-- under it: deleting it earlier would forget what is pending.

local SILENT_MS = 4 * LEASE_MS

local function drop_consumer(worker)
  local pending = redis.pcall('XPENDING', P .. 'ready', GROUP, '-', '+', 1, worker)
  if pending.err then
    return true -- no group, no consumer
  end
  if #pending > 0 then
    return false
  end
  call('XGROUP', 'DELCONSUMER', P .. 'ready', GROUP, worker)
  return true
end

-- register_worker: ARGV: worker.
local function register_worker(argv)
  call('ZADD', P .. 'workers', NOW, argv[1])
  return 'OK'
end

-- forget_worker: ARGV: worker. Replies 0 while it still has leases: reaping those ends it later.
local function forget_worker(argv)
  if not drop_consumer(argv[1]) then
    return 0
  end
  call('ZREM', P .. 'workers', argv[1])
  call('DEL', P .. 'control:' .. argv[1], P .. 'claimed:' .. argv[1])
  return 1
end

-- nudge: ARGV: worker. It sleeps, and is to look at its keys again.
local function nudge(argv)
  Wakes.tell(argv[1], 'nudge')
  return 1
end

-- disown_worker: ARGV: worker. It is known to be dead: what it held has expired now, and the next reap takes it.
-- Looks at all that runs: as many entries as there are pages and profiles open in the shard.
local function disown_worker(argv)
  local count = 0
  for _, id in ipairs(call('ZRANGE', P .. 'leases', 0, -1)) do
    if call('HGET', P .. 'job:' .. id, 'w') == argv[1] then
      call('ZADD', P .. 'leases', 0, id)
      count = count + 1
    end
  end
  for _, name in ipairs(call('ZRANGE', P .. 'locks', 0, -1)) do
    local t, c = string.match(name, '^([^/]*)/(.*)$')
    if Profile.holder(t, c) == argv[1] then
      call('ZADD', P .. 'locks', 0, name)
    end
  end
  return count
end

-- Workers that were not heard of for long, a few of them.
function Shard.forget_silent()
  for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'workers', '-inf', NOW - SILENT_MS, 'LIMIT', 0, 8)) do
    if drop_consumer(worker) then
      call('ZREM', P .. 'workers', worker)
    end
  end
end
