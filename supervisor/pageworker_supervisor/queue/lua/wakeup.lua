-- Waking workers that block. A worker blocks on its own control key, on `wake:slots` while it has free runner slots, and
-- on `wake:<tenant>/<context>` for each ephemeral context that it holds with free pages. A token wakes one worker. A
-- worker that leaves runnable jobs behind wakes the next. Tokens that no worker takes expire.
--
-- Used by: every fn_ file that makes jobs runnable or ends them; job, profile_lock, shard, tenant, timer.

local TOKEN_MS = 5000
local SLOT_TOKENS = 4
local CONTROL_LENGTH = 512

local pending = { slots = 0, contexts = {}, workers = {}, any_worker = false }

function Wakeup.reset()
  pending.slots = 0
  pending.contexts = {}
  pending.workers = {}
  pending.any_worker = false
end

-- A job became runnable that needs a runner slot, or time is due earlier than sleeping workers expect.
function Wakeup.slots()
  pending.slots = pending.slots + 1
end

-- A job only needs its result written, which any worker can do. A worker without a free slot sleeps on its control key
-- alone, so the worker with the latest heartbeat is woken too.
function Wakeup.any_worker()
  pending.any_worker = true
end

-- An ephemeral context has work. The holder of a profile is woken by name instead.
function Wakeup.context(tenant, context)
  if Context.is_ephemeral(context) then
    pending.contexts[tenant .. '/' .. context] = tenant
  end
end

function Wakeup.worker(worker)
  pending.workers[worker] = true
end

-- A message for one worker. It may get lost: the reply to the next heartbeat carries the same.
function Wakeup.notify(worker, message)
  local key = Key.control(worker)
  call('RPUSH', key, message)
  call('LTRIM', key, -CONTROL_LENGTH, -1)
  call('PEXPIRE', key, LEASE_MS)
end

local function add_tokens(key, wanted)
  local missing = wanted - call('LLEN', key)
  for _ = 1, missing do
    call('RPUSH', key, 'work')
  end
  if missing > 0 then
    call('PEXPIRE', key, TOKEN_MS)
  end
end

-- Write the tokens that this call has collected. Every function that may make a job runnable ends with it; a claim ends
-- with flush_after_claim.
function Wakeup.flush()
  if pending.any_worker then
    pending.slots = max(pending.slots, 1)
    local latest = call('ZRANGE', Key.workers(), 0, 0, 'REV')[1]
    if latest then
      pending.workers[latest] = true
    end
  end
  if pending.slots > 0 then
    add_tokens(Key.wake_slots(), min(pending.slots, SLOT_TOKENS))
  end
  for name in pairs(pending.contexts) do
    add_tokens(Key.wake_context_named(name), 1)
  end
  for worker in pairs(pending.workers) do
    add_tokens(Key.control(worker), 1)
  end
end

-- Jobs that a claim leaves behind are for other workers that wait. `contexts`: tenant by `<tenant>/<context>`.
function Wakeup.wake_for_rest(contexts)
  pending.slots = max(pending.slots, 1)
  for name, tenant in pairs(contexts) do
    pending.contexts[name] = tenant
  end
end

-- After a claim by `worker`: jobs that became runnable may have been claimed in the same call. Only jobs that are left
-- wake other workers. If none is left, tokens that no worker took must wake none either. `stopped`: the fleet's limits
-- allow no further job, so those that are left wake no worker; a permit or token of the fleet does.
function Wakeup.flush_after_claim(worker, stopped)
  pending.workers[worker] = nil
  pending.any_worker = false -- the caller ends such jobs itself
  if call('EXISTS', Key.active(), Key.ending()) == 0 or (stopped and call('EXISTS', Key.ending()) == 0) then
    call('DEL', Key.wake_slots())
    pending.slots = 0
    pending.contexts = {}
  else
    for name, tenant in pairs(pending.contexts) do
      if not call('ZSCORE', Key.active(), tenant) then
        pending.contexts[name] = nil
      end
    end
  end
  Wakeup.flush()
end
