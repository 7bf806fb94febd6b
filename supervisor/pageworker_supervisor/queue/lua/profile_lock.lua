-- A profile's lock. `profile:<tenant>/<profile>` holds the `worker` that has the profile open, its `fence`, how many jobs
-- of it are `running`, and `asked_at`: when another worker last asked for it. `profile_locks` says until when it is held.
-- Jobs of a held profile wait where only the holder finds them.
--
-- A profile has one context for each egress set of its jobs' modules. `profile_contexts:<tenant>/<profile>` holds those
-- with work, by when they were served last. The profile's runner serves one of them. While others wait, a claim tells the
-- holder, which lets the runner go after its minimum time. The context that was served longest ago is opened next.
--
-- A fence never goes down, not even when a failover takes the counter back: it is at least the clock's microseconds.
--
-- Used by: fn_check_consistency, fn_claim, fn_lease, fn_profiles, fn_workers, browser_context, claim_capacity, job, tenant.

local ASK_AFTER_MS = 1000
local ASK_AGAIN_MS = 5000
local ASKED_PER_CALL = 4

-- A context has work that can run.
function Profile.add_context(tenant, profile, context)
  call('ZADD', Key.profile_contexts(tenant, profile), 'NX', NOW, context)
end

-- It has none any more. `held`: false if no worker holds the profile, so that nothing waits for a holder.
function Profile.remove_context(tenant, profile, context, held)
  call('ZREM', Key.profile_contexts(tenant, profile), context)
  if held ~= false then
    Profile.remove_waiting(tenant, context)
  end
end

-- Its contexts with work, at most `most` (nil: all); the one that was served longest ago comes first. There are as many as
-- the modules of its queued jobs have different sets of hosts.
function Profile.contexts(tenant, profile, most)
  return call('ZRANGE', Key.profile_contexts(tenant, profile), 0, (most or 0) - 1)
end

function Profile.is_held(tenant, profile)
  return call('EXISTS', Key.profile(tenant, profile)) == 1
end

-- Worker, fence, and when another worker last asked.
function Profile.holder(tenant, profile)
  local lock = call('HMGET', Key.profile(tenant, profile), 'worker', 'fence', 'asked_at')
  return lock[1], lock[2], lock[3]
end

-- The fence after `last`; nil: after the last one of the shard.
function Profile.next_fence(last)
  return max(MICROS, (last or number(call('HGET', Key.meta(), 'fence'))) + 1)
end

-- A fence as text, all digits.
function Profile.fence_text(fence)
  return string.format('%.0f', fence)
end

-- Lock it for a worker, which starts a job of this context (nil: for a command, which starts none). The caller stores the fence. Returns true if the
-- profile has contexts with work.
function Profile.lock(tenant, profile, worker, context, fence)
  -- First: a call that fails after this leaves a lock that expires.
  call('ZADD', Key.profile_locks(), NOW + LEASE_MS, tenant .. '/' .. profile)
  call('HSET', Key.profile(tenant, profile), 'worker', worker, 'fence', fence, 'running', 1)
  local contexts = Profile.contexts(tenant, profile)
  for _, waiting in ipairs(contexts) do
    for _, priority in ipairs(PRIORITIES) do
      Tenant.close(tenant, priority, waiting)
    end
    Profile.add_waiting(tenant, waiting)
    if waiting == context then
      call('ZADD', Key.profile_contexts(tenant, profile), 'XX', NOW, context)
    end
  end
  return #contexts > 0
end

function Profile.unlock(tenant, profile)
  call('DEL', Key.profile(tenant, profile))
  call('ZREM', Key.profile_locks(), tenant .. '/' .. profile)
  for _, context in ipairs(Profile.contexts(tenant, profile)) do
    Profile.remove_waiting(tenant, context)
    for _, priority in ipairs(PRIORITIES) do
      if call('EXISTS', Key.context(tenant, context, priority)) == 1 then
        Tenant.open(tenant, priority, context, Shard.stamp())
      end
    end
  end
end

-- Work of this context waits for the profile's holder. The score says since when it was not served.
function Profile.add_waiting(tenant, context)
  call('ZADD', Key.held_contexts(tenant), 'NX', NOW, context)
  call('ZADD', Key.waiting_contexts(), 'NX', NOW, tenant .. '/' .. context)
end

function Profile.remove_waiting(tenant, context)
  if call('ZREM', Key.held_contexts(tenant), context) == 1 then -- both have it, or neither
    call('ZREM', Key.waiting_contexts(), tenant .. '/' .. context)
  end
end

function Profile.wake_holder(tenant, profile)
  local worker = Profile.holder(tenant, profile)
  if worker then
    Wakeup.worker(worker)
  end
end

-- The tenant may start jobs again: wake the holders of a few contexts that wait.
function Profile.wake_holders(tenant)
  for _, context in ipairs(call('ZRANGE', Key.held_contexts(tenant), 0, 3)) do
    Profile.wake_holder(tenant, Context.profile(context))
  end
end

-- A job of the profile starts at its holder, which has locked it before.
function Profile.start_job(tenant, profile, context)
  call('HINCRBY', Key.profile(tenant, profile), 'running', 1)
  call('ZADD', Key.profile_locks(), 'XX', 'GT', NOW + LEASE_MS, tenant .. '/' .. profile)
  call('ZADD', Key.profile_contexts(tenant, profile), 'XX', NOW, context)
  if call('ZADD', Key.waiting_contexts(), 'XX', 'CH', NOW, tenant .. '/' .. context) == 1 then
    call('ZADD', Key.held_contexts(tenant), 'XX', NOW, context)
  end
end

-- A job of the profile ends at the holder that has this fence. `release`: the holder has not opened the profile, so the
-- lock ends with its last job.
function Profile.end_job(tenant, profile, fence, release)
  local key = Key.profile(tenant, profile)
  local lock = fence and call('HMGET', key, 'fence', 'running')
  if not lock or lock[1] ~= fence then
    return
  end
  if release and number(lock[2]) <= 1 then
    Profile.unlock(tenant, profile)
  else
    call('HINCRBY', key, 'running', -1)
  end
end

-- Ask the holder to let the profile go, if it runs none of its jobs and was not asked for a while. `asker`: a worker.
function Profile.ask_holder(tenant, profile, asker)
  local key = Key.profile(tenant, profile)
  local lock = call('HMGET', key, 'worker', 'fence', 'asked_at', 'running')
  local idle = number(lock[4]) <= 0 and number(lock[3]) < NOW - ASK_AGAIN_MS
  if lock[1] and lock[1] ~= asker and idle then
    call('HSET', key, 'asked_at', NOW)
    Wakeup.notify(lock[1], 'ask ' .. tenant .. ' ' .. profile .. ' ' .. lock[2])
  end
end

-- `worker` has free runner slots: ask for profiles whose holder runs none of their jobs and has not served them for a while.
function Profile.ask_holders(worker)
  local waiting = call('ZRANGEBYSCORE', Key.waiting_contexts(), '-inf', NOW - ASK_AFTER_MS, 'LIMIT', 0, ASKED_PER_CALL)
  for _, name in ipairs(waiting) do
    local tenant, context = string.match(name, '^(.-)/(.*)$')
    call('ZADD', Key.waiting_contexts(), 'XX', NOW, name) -- the next call asks for another one
    Profile.ask_holder(tenant, Context.profile(context), worker)
  end
end

-- Unlock a slice of the profiles whose lock was not extended in time.
function Profile.expire_locks()
  for _, name in ipairs(call('ZRANGEBYSCORE', Key.profile_locks(), '-inf', NOW, 'LIMIT', 0, SLICE)) do
    local tenant, profile = string.match(name, '^(.-)/(.*)$')
    Profile.unlock(tenant, profile)
  end
end
