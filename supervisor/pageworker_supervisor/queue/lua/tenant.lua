-- A tenant. Its hash holds its quota (see limits.lua); `virtual_time`, its position in fairness: the virtual start time of
-- its next job; `priority_credits`, the state of its smooth weighted round robin over priorities; `jobs`, how many jobs it
-- has, and `bytes`, how large their JSON is; `mean_ms`, what its last leases took, `mean_of` of them; of the leases that run, `timed`, how
-- many there are, `starts_ms`, the sum of their starts, and `charged_ms`, what was charged for them; `parked`, why it is
-- parked; `open_priorities`, the priorities at which it has open contexts.
--
-- A tenant with open work is either in `active` (it may start a job) or in `parked` (it may not). If all its permits are in
-- use, the release of one brings it back. If it has no token, it is in `timers` too: the refill brings it back. If it is
-- paused, the end of the pause brings it back.
--
-- Used by: fn_check_consistency, fn_claim, fn_enqueue, browser_context, claim_capacity, fleet, shared_quota, job, timer.

Tenant.LEAST_MS = 100 -- a lease costs at least this much: its page is cleaned afterwards
local MEAN_OF = 8 -- number of newest leases that the mean is made of, about
local TELL_FROM, TELL_AGAIN_BELOW = 0.8, 0.7 -- of what its backlog may hold

function Tenant.read(tenant)
  local f = call(
    'HMGET', Key.tenant(tenant),
    'limits', 'running', 'virtual_time', 'tokens', 'tokens_at', 'parked', 'priority_credits', 'open_priorities',
    'told_at', 'timed', 'starts_ms', 'charged_ms', 'mean_ms', 'mean_of', 'jobs', 'bytes'
  )
  local quota = {
    name = tenant,
    running = number(f[2]),
    virtual_time = number(f[3]),
    tokens = number(f[4]),
    tokens_at = f[5] and tonumber(f[5]),
    parked = f[6],
    priority_credits = f[7] or '0 0 0',
    open_priorities = f[8] or '',
    told_at = f[9],
    timed = number(f[10]),
    starts_ms = number(f[11]),
    charged_ms = number(f[12]),
    mean_ms = f[13] and tonumber(f[13]) or Tenant.LEAST_MS,
    mean_of = number(f[14]),
    jobs = number(f[15]),
    bytes = number(f[16]),
  }
  local text = LimitsTable.tenant(tenant) or f[1] or NO_LIMITS
  quota.weight, quota.concurrency, quota.rate, quota.burst = Limits.parse(text)
  quota.pause = Pause.of('t', tenant) or Pause.of('b', tenant)
  return quota
end

function Tenant.is_parked(tenant)
  return call('HGET', Key.tenant(tenant), 'parked') and true or false
end

-- A context that any worker may open has work at this priority.
function Tenant.open(tenant, priority, context, stamp)
  if call('ZADD', Key.open_contexts(tenant, priority), 'NX', stamp, context) == 0 then
    return
  end
  local f = call('HMGET', Key.tenant(tenant), 'open_priorities', 'parked')
  local priorities = f[1] or ''
  if not string.find(priorities, priority, 1, true) then
    call('HSET', Key.tenant(tenant), 'open_priorities', priorities .. priority)
  end
  if f[2] then
    return
  end
  if call('ZSCORE', Key.active(), tenant) then
    Wakeup.slots()
    Wakeup.context(tenant, context)
  else
    Tenant.reschedule(tenant)
  end
end

-- The context has no work any more, or a worker holds it now. A tenant without open work is not active. `has_others`: true
-- if the tenant has other open contexts at this priority; nil: not known.
function Tenant.close(tenant, priority, context, has_others)
  local key = Key.open_contexts(tenant, priority)
  if call('ZREM', key, context) == 0 or has_others or call('EXISTS', key) == 1 then
    return
  end
  local priorities = string.gsub(call('HGET', Key.tenant(tenant), 'open_priorities') or '', priority, '')
  call('HSET', Key.tenant(tenant), 'open_priorities', priorities)
  if priorities == '' then
    call('ZREM', Key.active(), tenant)
  end
end

-- Virtual time of the shard: where a tenant starts that has new work. Never before tenants that wait already.
function Tenant.virtual_time()
  local head = call('ZRANGE', Key.active(), 0, 0, 'WITHSCORES')
  if head[2] then
    return tonumber(head[2])
  end
  return number(call('HGET', Key.meta(), 'virtual_time'))
end

-- The hash of a tenant without jobs is kept until its tokens are full again, and while it is parked by a pause: its
-- contexts may hold entries of jobs that were cancelled, and its record says that they are open.
local function keep_idle(quota)
  local key = Key.tenant(quota.name)
  -- Workers of an older release count no bytes.
  call('HDEL', key, 'bytes', 'queue_told')
  if quota.parked ~= 'paused' then
    call('EXPIRE', key, Limits.memory_seconds(quota))
  end
end

local function unpark(quota)
  if quota.parked then
    call('HDEL', Key.tenant(quota.name), 'parked')
    call('ZREM', Key.parked(), quota.name)
    quota.parked = false
    if quota.jobs <= 0 then
      keep_idle(quota)
    end
  end
end

-- Wake holders of a few of its open contexts, in the order in which these are served.
function Tenant.wake_open_contexts(quota)
  for priority in string.gmatch(quota.open_priorities, '.') do
    for _, context in ipairs(call('ZRANGE', Key.open_contexts(quota.name, priority), 0, 3)) do
      Wakeup.context(quota.name, context)
    end
  end
end

-- Put the tenant into the set where it belongs now. Called whenever its open work, permits, tokens or limits change.
function Tenant.reschedule(tenant)
  local quota = Tenant.read(tenant)
  local open = quota.open_priorities ~= ''
  local held = call('ZCARD', Key.held_contexts(tenant))
  if not open and held == 0 then
    call('ZREM', Key.active(), tenant)
    unpark(quota)
    return
  end
  local reason, at = Limits.throttled(quota)
  if reason then
    call('ZREM', Key.active(), tenant)
    call('HSET', Key.tenant(tenant), 'parked', reason)
    call('ZADD', Key.parked(), 'NX', NOW, tenant)
    if quota.pause then
      call('PERSIST', Key.tenant(tenant))
    else
      Limits.tell(tenant, Key.tenant(tenant), quota.told_at, Limits.reason('tenant', reason))
    end
    if at then
      Timer.add('t' .. tenant, at)
    end
    return
  end
  unpark(quota)
  if open then
    if call('ZADD', Key.active(), 'NX', max(quota.virtual_time, Tenant.virtual_time()), tenant) == 1 then
      Wakeup.slots()
      Tenant.wake_open_contexts(quota)
    end
  else
    call('ZREM', Key.active(), tenant)
  end
  if held > 0 then
    Profile.wake_holders(tenant)
  end
end

-- A lease costs what it takes. While it runs, it is charged the time so far and the mean of its tenant's leases; the mean
-- is given back when it ends. Returns how much the virtual time grows by what was not charged yet, which may be negative.
function Tenant.charge(quota)
  local due = quota.timed * (NOW + quota.mean_ms) - quota.starts_ms
  local grows = (due - quota.charged_ms) / 1000 / quota.weight
  quota.charged_ms = due
  return grows
end

-- A lease begins now.
function Tenant.start_lease(quota)
  quota.timed = quota.timed + 1
  quota.starts_ms = quota.starts_ms + NOW
end

-- A lease ends. `started_at`: since when it ran; absent: an older release claimed it, and charged one for it. `size`: its
-- job ends too, and this is its size in bytes; nil: the tenant keeps the job.
function Tenant.end_lease(tenant, started_at, size)
  local quota = Tenant.read(tenant)
  quota.running = quota.running - 1
  local grows = 0
  if started_at and quota.timed > 0 then
    local took = max(Tenant.LEAST_MS, NOW - started_at)
    quota.timed, quota.starts_ms = quota.timed - 1, quota.starts_ms - started_at
    quota.charged_ms = quota.charged_ms - took
    quota.mean_of = min(MEAN_OF, quota.mean_of + 1)
    quota.mean_ms = quota.mean_ms + (took - quota.mean_ms) / quota.mean_of
    grows = Tenant.charge(quota)
  end
  if quota.timed > quota.running then -- a worker of an older release ended a lease and did not count it
    quota.timed, quota.starts_ms, quota.charged_ms = 0, 0, 0
  end
  if size then
    quota.jobs, quota.bytes = quota.jobs - 1, quota.bytes - size
  end
  call(
    'HSET', Key.tenant(tenant),
    'running', number_text(quota.running), 'virtual_time', quota.virtual_time + grows,
    'mean_ms', number_text(quota.mean_ms), 'mean_of', number_text(quota.mean_of), 'timed', number_text(quota.timed),
    'starts_ms', number_text(quota.starts_ms), 'charged_ms', number_text(quota.charged_ms),
    'jobs', number_text(quota.jobs), 'bytes', number_text(quota.bytes)
  )
  if quota.parked == 'concurrency' then
    Tenant.reschedule(tenant)
  elseif not quota.parked and quota.open_priorities ~= '' then
    call('ZADD', Key.active(), 'XX', 'INCR', grows, tenant)
  end
  if size and quota.jobs <= 0 then
    keep_idle(quota)
  end
end

-- The tenant's backlog is nearly full: tell it, once until it has become smaller again. Looked at with each new job only,
-- so a level is never passed unseen.
local function tell_level(tenant, jobs, bytes, cap, told)
  local level = max(jobs / cap.jobs, bytes / cap.bytes)
  if told and level < TELL_AGAIN_BELOW then
    call('HDEL', Key.tenant(tenant), 'queue_told')
  elseif not told and level >= TELL_FROM then
    call('HSET', Key.tenant(tenant), 'queue_told', 1)
    local detail = { jobs = jobs, backlog_jobs = cap.jobs, bytes = bytes, backlog_bytes = cap.bytes }
    local event = { event = 'queue_limit', tenant_id = tenant, at = rfc3339(NOW), detail = detail }
    Subscriptions.publish(tenant, cjson.encode(event))
  end
end

-- Adds a job of this size in bytes to the tenant, in this shard. Returns false, and changes nothing, above `cap`.
-- `limits`: those that came with the job; they count only while no table of limits is in force. `cap`: the most jobs and
-- bytes that the tenant may have, nil: any.
function Tenant.add_job(tenant, size, limits, cap)
  local key = Key.tenant(tenant)
  local f = call('HMGET', key, 'jobs', 'bytes', 'limits', 'queue_told')
  local jobs, bytes = number(f[1]) + 1, number(f[2]) + size
  local fits = not cap or (jobs <= cap.jobs and bytes <= cap.bytes)
  if fits then
    call('HSET', key, 'jobs', jobs, 'bytes', bytes)
    if jobs == 1 then
      call('PERSIST', key)
    end
    if f[3] ~= limits then
      call('HSET', key, 'limits', limits)
      if Tenant.is_parked(tenant) then
        Tenant.reschedule(tenant)
      end
    end
  end
  if cap and (fits or number(f[1]) > 0) then -- a single job that never fits leaves no record of its tenant
    tell_level(tenant, jobs, bytes, cap, f[4])
  end
  return fits
end

-- The tenant has one job less, which held no permit.
function Tenant.remove_job(tenant, size)
  local key = Key.tenant(tenant)
  if call('HINCRBY', key, 'jobs', -1) <= 0 then
    keep_idle(Tenant.read(tenant))
  elseif size > 0 then
    call('HINCRBY', key, 'bytes', -size)
  end
end

-- Another table of limits is in force: look again at every tenant that waits. `before`: the table until now.
--
-- A weight changes what a tenant's next jobs cost. What it is ahead of the others by was counted with the old weight, so it
-- is converted: otherwise a tenant whose weight was raised would wait for a turn that is as far away as before.
function Tenant.apply_limits(before)
  for _, tenant in ipairs(call('ZRANGE', Key.parked(), 0, -1)) do
    Tenant.reschedule(tenant)
  end
  local active = call('ZRANGE', Key.active(), 0, -1, 'WITHSCORES')
  local first = tonumber(active[2] or 0)
  for i = 1, #active, 2 do
    local tenant, at = active[i], tonumber(active[i + 1])
    local was = LimitsTable.tenant(tenant, before) or call('HGET', Key.tenant(tenant), 'limits') or NO_LIMITS
    local now = LimitsTable.tenant(tenant)
    local weight = Limits.parse(now)
    local earlier = Limits.parse(was)
    if weight ~= earlier and at > first then
      at = first + (at - first) * earlier / weight
      call('HSET', Key.tenant(tenant), 'virtual_time', at)
      call('ZADD', Key.active(), 'XX', at, tenant)
    end
  end
end

-- Smooth weighted round robin over the priorities that are keys of `candidates`. Returns the chosen priority, and the
-- credits to keep if a job is claimed. A priority without work gathers no credit.
function Tenant.next_priority(credits, candidates)
  local h, m, l = string.match(credits, '^(%S+) (%S+) (%S+)$')
  local now = { h = tonumber(h), m = tonumber(m), l = tonumber(l) }
  local total, best = 0, nil
  for _, priority in ipairs(PRIORITIES) do
    if candidates[priority] then
      now[priority] = now[priority] + PRIORITY_SHARE[priority]
      total = total + PRIORITY_SHARE[priority]
      if not best or now[priority] > now[best] then
        best = priority
      end
    else
      now[priority] = 0
    end
  end
  now[best] = now[best] - total
  return best, now.h .. ' ' .. now.m .. ' ' .. now.l
end
