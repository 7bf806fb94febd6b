-- The fleet: the limits of all tenants together. Without limits it costs nothing and counts nothing. With several shards,
-- each one has its part. While the fleet is used up, a claim stops, so tenants keep their order.
--
-- `fleet` holds `running`, `tokens`, `tokens_at` and `told_at`. The field `fleet_waited_for` of `meta` says that a claim was
-- stopped: then the next permit or token wakes workers. It is read with the schema version, at no further command.
--
-- A lease's field `permits` says which permits it holds beside those of its tenant and domain: `f` the fleet's, `m` its
-- module's. So limits may come and go while jobs run.
--
-- Used by: fn_check_consistency, fn_claim, fn_enqueue, fn_inspect, job, shard, timer.

local TENANTS_WOKEN = 4

local waited_for = false -- in this shard

-- `found`: what `meta` says.
function Fleet.use(found)
  waited_for = found and true or false
end

-- nil: the fleet has no limits.
function Fleet.read()
  local text = LimitsTable.fleet()
  if not text then
    return nil
  end
  local f = call('HMGET', Key.fleet(), 'running', 'tokens', 'tokens_at')
  local quota = { running = number(f[1]), tokens = number(f[2]), tokens_at = f[3] and tonumber(f[3]) }
  quota.weight, quota.concurrency, quota.rate, quota.burst = Limits.parse(text)
  return quota
end

function Fleet.write(quota)
  local running = number_text(quota.running)
  if quota.rate > 0 then
    call('HSET', Key.fleet(), 'running', running, 'tokens', quota.tokens, 'tokens_at', NOW_TEXT)
  else
    call('HSET', Key.fleet(), 'running', running)
  end
end

-- A claim was stopped.
function Fleet.wait(reason, at)
  if not waited_for then
    call('HSET', Key.meta(), 'fleet_waited_for', 1)
    waited_for = true
  end
  if reason == 'rate' then
    Timer.add('f', at)
  end
  Limits.tell('_fleet', Key.fleet(), call('HGET', Key.fleet(), 'told_at'), Limits.reason('fleet', reason))
end

-- Jobs may start again: wake workers that could take the next ones.
function Fleet.wake()
  if not waited_for then
    return
  end
  call('HDEL', Key.meta(), 'fleet_waited_for')
  waited_for = false
  local active = call('ZRANGE', Key.active(), 0, TENANTS_WOKEN - 1)
  if #active > 0 then
    Wakeup.slots()
  end
  for _, tenant in ipairs(active) do
    Tenant.wake_open_contexts(Tenant.read(tenant))
  end
  for _, name in ipairs(call('ZRANGE', Key.waiting_contexts(), 0, TENANTS_WOKEN - 1)) do
    local tenant, context = string.match(name, '^(.-)/(.*)$')
    Profile.wake_holder(tenant, Context.profile(context))
  end
end

function Fleet.release_permit()
  call('HINCRBY', Key.fleet(), 'running', '-1')
  Fleet.wake()
end

-- Another table of limits is in force: count the permits of jobs that run already, and note in each lease which ones it
-- holds from now on. Looks at every lease of the shard: as many as there are pages.
function Fleet.recount()
  local fleet, running, modules, seen = LimitsTable.fleet(), 0, {}, {}
  for _, id in ipairs(call('ZRANGE', Key.leases(), 0, -1)) do
    local job = Job.read(id)
    if job and job.state == State.RUNNING then
      local module = Module.limited(id, job)
      if job.module and job.module ~= '' then
        seen[job.module] = true
      end
      if module then
        modules[module] = modules[module] or {}
        modules[module][job.tenant] = (modules[module][job.tenant] or 0) + 1
      end
      running = running + 1
      Job.note_permits(id, job, Job.permits_text(fleet, module))
    end
  end
  if fleet then
    call('HSET', Key.fleet(), 'running', running)
  else
    call('DEL', Key.fleet())
  end
  for module in pairs(seen) do
    Module.recount(module, modules[module] or {})
  end
end

-- `held`: permits by tenant.
function Module.recount(name, held)
  local key, running = Key.module(name), 0
  local fields = call('HGETALL', key)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 5) == 'held:' then
      call('HDEL', key, fields[i])
    end
  end
  for tenant, count in pairs(held) do
    call('HSET', key, 'held:' .. tenant, count)
    running = running + count
  end
  if running > 0 then
    call('HSET', key, 'running', running)
    call('PERSIST', key)
  elseif call('EXISTS', key) == 1 then
    call('HSET', key, 'running', 0)
    call('EXPIRE', key, IDLE_SECONDS)
  end
end
