-- Reading: listings and numbers. Both are bounded.
--
-- list_jobs  Looks at jobs of this place only, and of this tenant, except that `claimed` looks at all tenants.
--   request: place (queued, delayed, ending, claimed), tenant ('' any), position ('' from the beginning), limit: how many
--     jobs to look at
--   reply: position to go on with ('' there is no more), jobs: list of ref, context, domain, module, priority, state, worker,
--     crashes, attempts_used, due_at_ms, age_ms, defer_reason, throttled, traffic (absent if they do not apply)
-- show_job   One job, as far as it is known.
--   request: ref
--   reply: a map, then its JSON and its history ('' if it has no record), and the history of a job of this id that has
--     ended ('' if none is kept)
--     known: whether it has a record
--     record: the fields of its record, due_at_ms, throttled (absent: it has none)
-- stats
--   reply: numbers by name, tenants: list of tenant, jobs, running, parked, throttled (absent: it may start jobs); at most
--     TENANTS_SHOWN; paused: number of pauses in force by tenant, module, domain

local TENANTS_SHOWN = 100

-- Why no further job of this quota starts now, nil if one may. `seen` keeps the answers of one call by name.
local function used_up(seen, word, name, quota)
  local key = word .. ' ' .. name
  if seen[key] == nil then
    local read = quota()
    local reason = read and Limits.throttled(read)
    seen[key] = reason and (read.pause and Pause.text(read.pause) or Limits.reason(word, reason)) or false
  end
  return seen[key] or nil
end

local function tenant_throttled(seen, tenant)
  return used_up(seen, 'tenant', tenant, function() return Tenant.read(tenant) end)
end

-- Why a job that is queued does not start, as far as pauses and limits are the reason: the first that stops it.
local function throttled(seen, id, job)
  local module = Module.separate(id, job)
  return tenant_throttled(seen, job.tenant)
    or job.domain ~= NO_DOMAIN and used_up(seen, 'domain', job.domain, function() return Domain:read(job.domain) end)
    or module and used_up(seen, 'module', module, function() return Module:read(module) end)
    or used_up(seen, 'fleet', '', Fleet.read)
    or nil
end

-- A job for a listing, nil if it has no record.
local function job_row(id, seen)
  local job = Job.read(id)
  if not job then
    return nil
  end
  local waits = job.state == State.QUEUED or job.state == State.DELAYED
  local due = job.state == State.DELAYED and call('ZSCORE', Key.delayed(), id)
  return {
    ref = id,
    context = job.context,
    domain = job.domain,
    module = job.module or nil,
    priority = job.priority,
    state = job.state,
    worker = job.worker or nil,
    crashes = number(job.crashes),
    attempts_used = number(job.attempts_used),
    due_at_ms = due and floor(tonumber(due)) or nil,
    age_ms = NOW - number(job.pushed_at),
    defer_reason = waits and job.defer_reason or nil,
    throttled = job.state == State.QUEUED and throttled(seen, id, job) or nil,
    traffic = (job.traffic or job.lease_traffic) and Job.add_traffic(job.traffic, job.lease_traffic) or nil,
  }
end

-- Where an entry is in its backlog by now: entries before it may have been claimed since.
local function index_in_backlog(key, offset, entry)
  if offset > 0 and call('LINDEX', key, offset - 1) == entry then
    return offset
  end
  local at = offset > 0 and call('LPOS', key, entry, 'MAXLEN', offset)
  return at and at + 1 or 0
end

-- Ids of the jobs in entries of a backlog, without void entries.
local function queued_ids(entries, ids)
  for _, entry in ipairs(entries) do
    local stamp, id = string.match(entry, '^(%d+) (.*)$')
    local f = call('HMGET', Key.job(id), 'state', 'backlog_stamp')
    if f[1] == State.QUEUED and f[2] == stamp then
      ids[#ids + 1] = id
    end
  end
end

-- Jobs of backlogs. A position is `<offset>|<last entry>|<backlog>`, or the backlog alone where it was read to its end.
local function queued_page(tenant, position, limit)
  local ids, offset, entry, backlog = {}, string.match(position, '^(%d+)|([^|]*)|(.*)$')
  if backlog then
    offset = index_in_backlog(Key.backlog_named(backlog), tonumber(offset), entry)
  end
  local looked = 0
  while looked < limit do
    if not backlog then
      backlog, offset = Listing.page('backlogs', tenant, position, 1)[1], 0
      if not backlog then
        return ids, ''
      end
    end
    local wanted = limit - looked
    local entries = call('LRANGE', Key.backlog_named(backlog), offset, offset + wanted - 1)
    queued_ids(entries, ids)
    -- A backlog that is empty by now counts too, so that a call that finds no jobs ends soon.
    looked = looked + max(1, #entries)
    if #entries < wanted then
      backlog, position = nil, backlog
    else
      position = (offset + #entries) .. '|' .. entries[#entries] .. '|' .. backlog
    end
  end
  return ids, position
end

local function claimed_page(position, limit)
  local ids = {}
  local entries = call('XRANGE', Key.ready(), position == '' and '-' or '(' .. position, '+', 'COUNT', limit)
  for i, each in ipairs(entries) do
    ids[i] = each[2][2]
  end
  return ids, #entries < limit and '' or entries[#entries][1]
end

local function indexed_page(name, tenant, position, limit)
  local ids = Listing.page(name, tenant, position, limit)
  return ids, #ids < limit and '' or ids[#ids]
end

local function list_jobs(request)
  local place, tenant, limit = request.place, request.tenant, request.limit
  local ids, following
  if place == 'queued' then
    ids, following = queued_page(tenant, request.position, limit)
  elseif place == 'claimed' then
    ids, following = claimed_page(request.position, limit)
  else
    ids, following = indexed_page(place, tenant, request.position, limit)
  end
  local found, seen = {}, {}
  for _, id in ipairs(ids) do
    local row = job_row(id, seen)
    if row and (tenant == '' or string.sub(id, 1, #tenant + 1) == tenant .. '/') then
      found[#found + 1] = row
    end
  end
  return { cmsgpack.pack({ position = following, jobs = found }) }
end

local function show_job(request)
  local id = request.ref
  local job, record = Job.read(id), nil
  if job then
    record = {}
    for name, value in pairs(job) do
      record[name] = value or nil
    end
    local due = job.state == State.DELAYED and call('ZSCORE', Key.delayed(), id)
    record.history = nil -- text that was cut may be no UTF-8
    record.due_at_ms = due and floor(tonumber(due)) or nil
    record.throttled = job.state == State.QUEUED and throttled({}, id, job) or nil
  end
  local history = job and job.history or ''
  return { cmsgpack.pack({ known = job ~= nil, record = record }), job and Job.body(id) or '', history, History.kept(id) or '' }
end

local function tenant_rows()
  local tenants, seen, reasons = {}, {}, {}
  for _, key in ipairs({ Key.parked(), Key.active() }) do
    for _, tenant in ipairs(call('ZRANGE', key, 0, TENANTS_SHOWN - 1)) do
      if not seen[tenant] and #tenants < TENANTS_SHOWN then
        seen[tenant] = true
        local f = call('HMGET', Key.tenant(tenant), 'jobs', 'running', 'parked')
        tenants[#tenants + 1] = {
          tenant = tenant, jobs = number(f[1]), running = number(f[2]), parked = f[3] and true or false,
          throttled = tenant_throttled(reasons, tenant) or used_up(reasons, 'fleet', '', Fleet.read),
        }
      end
    end
  end
  return tenants
end

local function stats()
  return { cmsgpack.pack({
    jobs = number(call('HGET', Key.meta(), 'jobs')),
    delayed = call('ZCARD', Key.delayed()),
    claimed = call('ZCARD', Key.leases()),
    ending = call('LLEN', Key.ending()),
    active_tenants = call('ZCARD', Key.active()),
    parked_tenants = call('ZCARD', Key.parked()),
    profiles_held = call('ZCARD', Key.profile_locks()),
    batches = number(call('HGET', Key.meta(), 'batches')),
    outbox_entries = call('ZCARD', Key.outbox()),
    dead_letters = call('XLEN', Key.dead()),
    workers = call('ZCARD', Key.workers()),
    tenants = tenant_rows(),
    paused = Pause.counts(),
  }) }
end
