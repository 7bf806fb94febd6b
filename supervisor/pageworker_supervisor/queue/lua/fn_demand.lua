-- demand  What the fleet process reads: which jobs a further worker could start, and what else waits. It writes nothing,
--   and looks at `count` backlogs.
--   request: position (of the backlog to go on after, '' from the beginning), count, pages (per runner), horizon_ms: a
--     worker that is asked for now can start jobs that are permitted by then
--   reply: at_ms; jobs, delayed, claimed, ending: numbers of jobs; claims: how many there ever were; due: delayed jobs that
--     come due within the horizon; leases_expired; dead_letters; outbox, outbox_due: entries, and those due within the
--     horizon; other: expired jobs that are not ended yet, and expired locks that jobs wait for; workers
--   Ages, absent if there is nothing: oldest_claim_ms, oldest_due_ms, oldest_outbox_ms, heartbeat_ms, of the worker that was
--     silent longest
--   backlogs: how many there are; looked: at how many this call looked; position: to go on with ('' there is no more)
--   Of the backlogs looked at: queued; runnable: jobs that a further worker could start, if the fleet's limits permit;
--     known, known_ms: how many of them belong to a tenant whose leases have a known mean time, and the sum of these times;
--     slots: runner slots that they take; oldest_ms, oldest_runnable_ms: ages; throttled: number of tenants by limit
--   fleet_spare: jobs that the fleet's limits permit, absent without them; fleet_reason: which of them permits none now
-- scaling_sample  What fleet processes keep, on shard 0 alone. Of each interval, the sample of the process that came first
--   stays.
--   request: slot_ms (when the interval begins), text ('' to read alone), after_ms
--   reply: a map, then the samples that are newer than after_ms
--     reset: the clock went back, so the samples that the caller has are of another time

local demand, scaling_sample

do
  local SAMPLES = 1000
  local AHEAD_MS = 60000
  local HEADS = 4 -- void entries looked past at the front of a backlog

  local function age(instant)
    if not instant then
      return nil
    end
    return max(0, NOW - floor(tonumber(instant)))
  end

  local function head_age(key)
    return age(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
  end

  -- How many further jobs this quota permits until `horizon_ms` from now, and the limit that permits none now.
  local function permitted(quota, horizon_ms)
    local reason = Limits.throttled(quota)
    if reason and reason ~= 'rate' then
      return 0, reason
    end
    local permits = max(0, quota.concurrency - quota.running)
    if quota.rate > 0 then
      local tokens = min(quota.burst, Limits.tokens(quota) + horizon_ms * quota.rate / 1000)
      permits = min(permits, floor(tokens + 1e-9))
    end
    return permits, reason
  end

  -- What a quota permits in this call: the first time it is read, then it is counted down.
  local function left_of(seen, kind, name, horizon_ms, read)
    local of_kind = seen[kind]
    local found = of_kind[name]
    if not found then
      local quota = read(name)
      local left, reason = permitted(quota, horizon_ms)
      found = { left = left, reason = reason and kind .. '_' .. reason, quota = quota }
      of_kind[name] = found
    end
    return found
  end

  local function read_domain(name)
    return Domain:read(name)
  end

  local function read_module(name)
    return Module:read(name)
  end

  -- Pages of the one runner that a profile may have: none if a worker has it open, since its jobs wait for that worker.
  local function left_of_profile(seen, tenant, profile, pages)
    local key = tenant .. '/' .. profile
    if not seen.profile[key] then
      local until_ms = call('ZSCORE', Key.profile_locks(), key)
      seen.profile[key] = { left = until_ms and tonumber(until_ms) > NOW and 0 or pages }
    end
    return seen.profile[key]
  end

  -- How long the first job of a backlog has been ready to run.
  local function head_wait(key)
    for at = 0, HEADS - 1 do
      local entry = call('LINDEX', key, at)
      if not entry then
        return nil
      end
      local stamp, id = string.match(entry, '^(%d+) (.*)$')
      local f = id and call('HMGET', Key.job(id), 'state', 'backlog_stamp', 'queued_at')
      if f and f[1] == State.QUEUED and f[2] == stamp then
        return age(f[3])
      end
    end
    return nil
  end

  -- The quotas that a backlog needs.
  local function quotas_of(seen, tenant, context, limit_key, request)
    local domain, module = LimitKey.parse(limit_key)
    local found = { left_of(seen, 'tenant', tenant, request.horizon_ms, Tenant.read) }
    if domain ~= NO_DOMAIN then
      found[#found + 1] = left_of(seen, 'domain', domain, request.horizon_ms, read_domain)
    end
    if module then
      found[#found + 1] = left_of(seen, 'module', module, request.horizon_ms, read_module)
    end
    local profile = Context.profile(context)
    if profile then
      found[#found + 1] = left_of_profile(seen, tenant, profile, Context.is_one_page(context) and 1 or request.pages)
    end
    return found
  end

  -- Count a tenant once per limit that keeps jobs of it.
  local function count_throttled(sum, tenant, quotas)
    for _, quota in ipairs(quotas) do
      local reason = quota.reason
      if reason and sum.told[reason] ~= tenant then -- the backlogs of a tenant are side by side
        sum.told[reason] = tenant
        sum.throttled[reason] = (sum.throttled[reason] or 0) + 1
      end
    end
  end

  local function older(known, other)
    return max(known or 0, other)
  end

  local function add_backlog(sum, seen, name, request)
    local tenant, context, limit_key = string.match(name, '^([^/]*)/([^/]*)/(.*):%a$')
    local key = Key.backlog_named(name)
    local length = call('LLEN', key)
    if not tenant or length == 0 then
      return
    end
    local quotas = quotas_of(seen, tenant, context, limit_key, request)
    local runnable = length
    for _, quota in ipairs(quotas) do
      runnable = min(runnable, quota.left)
    end
    for _, quota in ipairs(quotas) do
      quota.left = quota.left - runnable
    end
    count_throttled(sum, tenant, quotas)
    local waited = head_wait(key)
    sum.queued = sum.queued + length
    sum.oldest_ms = waited and older(sum.oldest_ms, waited) or sum.oldest_ms
    if runnable == 0 then
      return
    end
    sum.oldest_runnable_ms = waited and older(sum.oldest_runnable_ms, waited) or sum.oldest_runnable_ms
    sum.runnable = sum.runnable + runnable
    local per_slot = (Context.is_exclusive(context) or Context.is_one_page(context)) and 1 or request.pages
    if sum.context ~= tenant .. '/' .. context then -- the backlogs of a context are side by side
      sum.context, sum.free = tenant .. '/' .. context, 0
    end
    local opened = math.ceil(max(0, runnable - sum.free) / per_slot)
    sum.slots, sum.free = sum.slots + opened, sum.free + opened * per_slot - runnable
    local tenant_quota = quotas[1].quota
    if tenant_quota.mean_of > 0 then
      sum.known, sum.known_ms = sum.known + runnable, sum.known_ms + runnable * tenant_quota.mean_ms
    end
  end

  local function stream_facts(key)
    local info = redis.pcall('XINFO', 'STREAM', key)
    local facts = {}
    if not info.err then
      for i = 1, #info, 2 do
        facts[info[i]] = info[i + 1]
      end
    end
    return facts
  end

  function demand(request)
    local ready = stream_facts(Key.ready())
    local oldest_claim = type(ready['first-entry']) == 'table' and string.match(ready['first-entry'][1], '^%d+')
    local soon = NOW + request.horizon_ms
    local first_entry = call('ZRANGE', Key.outbox(), 0, 0)[1]
    local sum = { queued = 0, runnable = 0, known = 0, known_ms = 0, slots = 0, throttled = {}, told = {} }
    local seen = { tenant = {}, domain = {}, module = {}, profile = {} }
    local names = Listing.page('backlogs', '', request.position, request.count)
    for _, name in ipairs(names) do
      add_backlog(sum, seen, name, request)
    end
    local fleet = Fleet.read()
    local fleet_spare, fleet_reason
    if fleet then
      fleet_spare, fleet_reason = permitted(fleet, request.horizon_ms)
    end
    local other = call('ZCOUNT', Key.expiry(), '-inf', NOW)
    if call('ZCARD', Key.waiting_contexts()) > 0 then
      other = other + call('ZCOUNT', Key.profile_locks(), '-inf', NOW)
    end
    return { cmsgpack.pack({
      at_ms = NOW,
      jobs = number(call('HGET', Key.meta(), 'jobs')),
      delayed = call('ZCARD', Key.delayed()),
      claimed = call('ZCARD', Key.leases()),
      ending = call('LLEN', Key.ending()),
      claims = number(ready['entries-added']),
      due = call('ZCOUNT', Key.delayed(), '-inf', soon),
      leases_expired = call('ZCOUNT', Key.leases(), '-inf', NOW),
      dead_letters = call('XLEN', Key.dead()),
      outbox = call('ZCARD', Key.outbox()),
      outbox_due = call('ZCOUNT', Key.outbox(), '-inf', soon),
      other = other,
      workers = call('ZCARD', Key.workers()),
      oldest_claim_ms = age(oldest_claim),
      oldest_due_ms = head_age(Key.delayed()),
      oldest_outbox_ms = first_entry and age(call('HGET', Key.outbox_entry(first_entry), 'created_at') or nil),
      heartbeat_ms = head_age(Key.workers()),
      backlogs = call('ZCARD', Key.listed('backlogs')),
      looked = #names,
      position = #names < request.count and '' or names[#names],
      queued = sum.queued,
      runnable = sum.runnable,
      known = sum.known,
      known_ms = sum.known_ms,
      slots = sum.slots,
      oldest_ms = sum.oldest_ms,
      oldest_runnable_ms = sum.oldest_runnable_ms,
      throttled = sum.throttled,
      fleet_spare = fleet_spare,
      fleet_reason = fleet_reason and 'fleet_' .. fleet_reason,
    }) }
  end

  function scaling_sample(request)
    local key, after = Key.scaling(), request.after_ms
    local newest = call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
    local newest_ms = newest and tonumber(string.match(newest[1], '^%d+')) or 0
    local reset = after > NOW + AHEAD_MS
    if reset then
      after = 0
    end
    if newest_ms > NOW + AHEAD_MS then
      call('DEL', key)
      newest_ms = 0
    end
    if request.text ~= '' and request.slot_ms > newest_ms then
      call('XADD', key, 'MAXLEN', SAMPLES, string.format('%.0f-0', request.slot_ms), 'sample', request.text)
    end
    local reply = { cmsgpack.pack({ reset = reset }) }
    for _, entry in ipairs(call('XRANGE', key, string.format('%.0f', after + 1), '+', 'COUNT', SAMPLES)) do
      reply[#reply + 1] = entry[2][2]
    end
    return reply
  end
end
