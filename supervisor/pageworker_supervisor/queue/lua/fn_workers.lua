-- Workers. `workers` holds when each was last heard of. A name in the consumer group is deleted only when nothing is
-- pending under it: deleting it earlier would forget what is pending.
--
-- register_worker  request: worker
-- forget_worker    request: worker. Reply 0 while it still has leases: reaping those ends it later.
-- wake_worker      request: worker. It sleeps, and is to look at its keys again.
-- disown_worker    request: worker. It is known to be dead: its leases and locks expire now, and the next reap takes them.
--   Looks at every lease and lock of the shard: as many as there are pages and profiles in use. Reply: number of leases.
-- check_schema     Nothing: it fails if the state has another schema version.

local SILENT_MS = 4 * LEASE_MS
local FORGOTTEN_PER_CALL = 8

local function drop_consumer(worker)
  local pending = redis.pcall('XPENDING', Key.ready(), GROUP, '-', '+', 1, worker)
  if pending.err then
    return true -- no group, no consumer
  end
  if #pending > 0 then
    return false
  end
  call('XGROUP', 'DELCONSUMER', Key.ready(), GROUP, worker)
  return true
end

local function register_worker(request)
  call('ZADD', Key.workers(), NOW, request.worker)
  return 1
end

local function forget_worker(request)
  call('HDEL', Key.worker_reports(), request.worker)
  if not drop_consumer(request.worker) then
    return 0
  end
  call('ZREM', Key.workers(), request.worker)
  LimitsTable.forget(request.worker)
  call('DEL', Key.control(request.worker), Key.last_claim(request.worker))
  return 1
end

local function wake_worker(request)
  Wakeup.notify(request.worker, 'wake')
  return 1
end

local function disown_worker(request)
  local count = 0
  for _, id in ipairs(call('ZRANGE', Key.leases(), 0, -1)) do
    if call('HGET', Key.job(id), 'worker') == request.worker then
      call('ZADD', Key.leases(), 0, id)
      count = count + 1
    end
  end
  for _, name in ipairs(call('ZRANGE', Key.profile_locks(), 0, -1)) do
    local tenant, profile = string.match(name, '^([^/]*)/(.*)$')
    if Profile.holder(tenant, profile) == request.worker then
      call('ZADD', Key.profile_locks(), 0, name)
    end
  end
  return count
end

local function check_schema()
  return 1
end

-- Forget a few workers that were silent for long.
function Shard.forget_silent_workers()
  local silent = call('ZRANGEBYSCORE', Key.workers(), '-inf', NOW - SILENT_MS, 'LIMIT', 0, FORGOTTEN_PER_CALL)
  for _, worker in ipairs(silent) do
    if drop_consumer(worker) then
      call('HDEL', Key.worker_reports(), worker)
      call('ZREM', Key.workers(), worker)
      LimitsTable.forget(worker)
    end
  end
end
