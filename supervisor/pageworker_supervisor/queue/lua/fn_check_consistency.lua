-- check_consistency: compares everything derived with what it is derived from. The reply is a list of lines, one per
-- contradiction.
-- It looks at every key of the shard: for tests and for an operator who suspects an error, not for a schedule.

local ConsistencyCheck = {}
ConsistencyCheck.__index = ConsistencyCheck

function ConsistencyCheck:report(...)
  self.faults[#self.faults + 1] = string.format(...)
end

-- The keys whose name begins with this, without it: a set.
function ConsistencyCheck:keys(beginning)
  local cursor, found = '0', {}
  repeat
    local page = call('SCAN', cursor, 'MATCH', string.gsub(beginning, '([%[%]*?\\])', '\\%1') .. '*', 'COUNT', 1000)
    cursor = page[1]
    for _, key in ipairs(page[2]) do
      found[string.sub(key, #beginning + 1)] = true
    end
  until cursor == '0'
  return found
end

local function count(tally, name)
  tally[name] = (tally[name] or 0) + 1
end

function ConsistencyCheck:backlog_entries()
  local entries = {}
  for name in pairs(self:keys(Key.backlog_named(''))) do
    for _, entry in ipairs(call('LRANGE', Key.backlog_named(name), 0, -1)) do
      entries[entry] = name
    end
    local tenant, context, limit_key, priority = string.match(name, '^([^/]*)/([^/]*)/(.*):(.)$')
    local runs = call('ZSCORE', Key.context(tenant, context, priority), limit_key)
    local waits = LimitKey.is_parked(tenant, context, limit_key)
    if runs and waits then
      self:report('backlog %s is both in its context and parked', name)
    elseif not runs and not waits then
      self:report('backlog %s is neither in its context nor parked', name)
    end
    if not call('ZSCORE', Key.listed('backlogs'), name) then
      self:report('backlog %s is not listed', name)
    end
  end
  return entries
end

function ConsistencyCheck:job(id, entries, ending, pending)
  local job = Job.read(id)
  if not job then
    self:report('job %s has no state', id)
    return
  end
  count(self.jobs_of, job.tenant)
  self.bytes_of[job.tenant] = (self.bytes_of[job.tenant] or 0) + number(job.bytes)
  if job.domain ~= NO_DOMAIN then
    count(self.jobs_at, job.domain)
  end
  local function is_backlog(name)
    Module.separate(id, job) -- names the module of a job of an older release
    local of_module = LimitKey.of(job.domain, job.module)
    for _, limit_key in ipairs({ job.domain, of_module }) do
      if name == job.tenant .. '/' .. job.context .. '/' .. limit_key .. ':' .. job.priority then
        return true
      end
    end
    return false
  end
  if job.state == State.QUEUED and not is_backlog(entries[job.backlog_stamp .. ' ' .. id]) then
    self:report('job %s is queued in no backlog', id)
  elseif job.state == State.DELAYED and not call('ZSCORE', Key.delayed(), id) then
    self:report('job %s is delayed for ever', id)
  elseif job.state == State.ENDING and not ending[id] then
    self:report('job %s is ending, and no worker will claim it', id)
  elseif job.state == State.RUNNING or job.state == State.STORING or job.state == State.FINISHING then
    self:claimed(id, job, pending)
  end
  self:indexed(id, job)
end

function ConsistencyCheck:jobs()
  local entries, ending, pending = self:backlog_entries(), {}, {}
  for _, id in ipairs(call('LRANGE', Key.ending(), 0, -1)) do
    ending[id] = true
  end
  local page = redis.pcall('XPENDING', Key.ready(), GROUP, '-', '+', 1000000)
  for _, row in ipairs(page.err and {} or page) do
    pending[row[1]] = row[2]
  end
  local total = 0
  for id in pairs(self:keys(Key.job(''))) do
    total = total + 1
    self:job(id, entries, ending, pending)
  end
  if total ~= number(call('HGET', Key.meta(), 'jobs')) then
    self:report('%d jobs, counted %s', total, tostring(call('HGET', Key.meta(), 'jobs')))
  end
  for entry, worker in pairs(pending) do
    self:report('entry %s of %s is pending without a job', entry, worker)
  end
end

-- Whether the listings and the expiry of a job agree with its state.
function ConsistencyCheck:indexed(id, job)
  for name, state in pairs({ delayed = State.DELAYED, ending = State.ENDING }) do
    local listed = call('ZSCORE', Key.listed(name), id) and true or false
    if listed ~= (job.state == state) then
      self:report('job %s is in state %s, listed as %s: %s', id, job.state, name, tostring(listed))
    end
    count(self.listed, listed and name or '')
  end
  local expires = call('ZSCORE', Key.expiry(), id) and true or false
  local waits = job.state == State.QUEUED or job.state == State.DELAYED
  local may_expire = Job.begins_within(job) and waits or false
  if may_expire and not expires then
    self:report('job %s waits and does not expire', id)
  elseif expires and not may_expire and job.state ~= State.ENDING then
    self:report('job %s is in state %s and expires', id, job.state)
  end
end

function ConsistencyCheck:listings()
  local backlogs = 0
  for _ in pairs(self:keys(Key.backlog_named(''))) do
    backlogs = backlogs + 1
  end
  local expected = { backlogs = backlogs, delayed = self.listed.delayed or 0, ending = self.listed.ending or 0 }
  for name, most in pairs(expected) do
    local found = call('ZCARD', Key.listed(name))
    if found ~= most then
      self:report('%d listed under %s, there are %d', found, name, most)
    end
  end
end

function ConsistencyCheck:cancellations()
  local counts = {}
  for _, id in ipairs(call('ZRANGE', Key.cancellations(), 0, -1)) do
    count(counts, string.match(id, '^([^/]*)/'))
  end
  local kept = call('HGETALL', Key.cancellation_counts())
  for i = 1, #kept, 2 do
    if (counts[kept[i]] or 0) ~= tonumber(kept[i + 1]) then
      self:report('tenant %s has %d cancellations, counted %s', kept[i], counts[kept[i]] or 0, kept[i + 1])
    end
    counts[kept[i]] = nil
  end
  for tenant in pairs(counts) do
    self:report('tenant %s has cancellations and no count', tenant)
  end
end

function ConsistencyCheck:dead_letters()
  local bytes, weights = 0, {}
  for _, entry in ipairs(call('XRANGE', Key.dead(), '-', '+')) do
    local size, tenant = DeadLetter.size(entry[2])
    bytes = bytes + size
    weights[tenant] = (weights[tenant] or 0) + size + ENTRY_BYTES
    if not call('ZSCORE', Key.dead_of(tenant), entry[1]) then
      self:report('dead letter %s is not among those of tenant %s', entry[1], tenant)
    end
  end
  if bytes ~= number(call('HGET', Key.meta(), 'dead_bytes')) then
    self:report('dead letters have %d bytes, counted %s', bytes, tostring(call('HGET', Key.meta(), 'dead_bytes')))
  end
  local kept = call('ZRANGE', Key.dead_weight(), 0, -1, 'WITHSCORES')
  for i = 1, #kept, 2 do
    if (weights[kept[i]] or 0) ~= tonumber(kept[i + 1]) then
      self:report('dead letters of tenant %s weigh %d, counted %s', kept[i], weights[kept[i]] or 0, kept[i + 1])
    end
  end
end

function ConsistencyCheck:claimed(id, job, pending)
  if not call('ZSCORE', Key.leases(), id) then
    self:report('job %s is claimed without a lease', id)
  end
  if pending[job.entry] ~= job.worker then
    self:report('job %s is not pending with %s', id, job.worker)
  end
  pending[job.entry] = nil
  self.leases = self.leases + 1
  if job.state == State.RUNNING then
    count(self.running_of, job.tenant)
    self.starts_of[job.tenant] = (self.starts_of[job.tenant] or 0) + tonumber(job.started_at)
    if job.domain ~= NO_DOMAIN then
      count(self.running_at, job.domain)
      count(self.held_at, 'd' .. job.domain .. '/' .. job.tenant)
    end
    self:permits(id, job)
  end
end

-- What a running job holds of the fleet and of its module: exactly what has limits.
function ConsistencyCheck:permits(id, job)
  local module = Module.limited(id, job)
  local expected = Job.permits_text(LimitsTable.fleet(), module)
  if (job.permits or nil) ~= expected then
    self:report('job %s holds the permits %s, and should hold %s', id, tostring(job.permits), tostring(expected))
  end
  if module then
    count(self.running_in, module)
    count(self.held_at, 'm' .. module .. '/' .. job.tenant)
  end
  self.running = self.running + 1
end

function ConsistencyCheck:tenant_counts(tenant, quota)
  local jobs, runs = number(call('HGET', Key.tenant(tenant), 'jobs')), self.running_of[tenant] or 0
  if jobs ~= (self.jobs_of[tenant] or 0) or quota.running ~= runs then
    self:report(
      'tenant %s: jobs %d, counted %d; permits %d, counted %d',
      tenant, jobs, self.jobs_of[tenant] or 0, quota.running, runs
    )
  end
  if quota.timed ~= runs or quota.starts_ms ~= (self.starts_of[tenant] or 0) then
    self:report('tenant %s: %d leases are charged by time, counted %d', tenant, quota.timed, runs)
  end
  local bytes = number(call('HGET', Key.tenant(tenant), 'bytes'))
  if bytes ~= (self.bytes_of[tenant] or 0) then
    self:report('tenant %s: %d bytes, counted %d', tenant, bytes, self.bytes_of[tenant] or 0)
  end
  if jobs == 0 and quota.parked ~= 'paused' and call('TTL', Key.tenant(tenant)) < 0 then
    self:report('tenant %s is idle, and its record has no time to live', tenant)
  end
end

function ConsistencyCheck:open_priorities(tenant, quota)
  local priorities = ''
  for _, priority in ipairs(PRIORITIES) do
    if call('EXISTS', Key.open_contexts(tenant, priority)) == 1 then
      priorities = priorities .. priority
      if not string.find(quota.open_priorities, priority, 1, true) then
        self:report('tenant %s is open at %s, and its record is not', tenant, priority)
      end
    end
  end
  if #priorities ~= #quota.open_priorities then
    self:report('tenant %s is open at %s, its record at %s', tenant, priorities, quota.open_priorities)
  end
  return priorities ~= ''
end

function ConsistencyCheck:tenants()
  for tenant in pairs(self:keys(Key.tenant(''))) do
    local quota = Tenant.read(tenant)
    self:tenant_counts(tenant, quota)
    local open = self:open_priorities(tenant, quota)
    local active, parked = call('ZSCORE', Key.active(), tenant), call('ZSCORE', Key.parked(), tenant)
    if open and not active and not parked then
      self:report('tenant %s has work, and is neither active nor parked', tenant)
    elseif active and (not open or parked) then
      self:report('tenant %s is active, open %s, parked %s', tenant, tostring(open), tostring(parked))
    elseif (parked and true or false) ~= (quota.parked and true or false) then
      self:report('tenant %s is parked only half', tenant)
    elseif quota.parked == 'concurrency' and quota.running < quota.concurrency then
      self:report('tenant %s is parked with permits to spare', tenant)
    elseif quota.parked == 'rate' and not call('ZSCORE', Key.timers(), 't' .. tenant) then
      self:report('tenant %s is throttled for ever', tenant)
    elseif active and quota.pause then
      self:report('tenant %s is active, and paused', tenant)
    elseif quota.parked == 'paused' and not quota.pause and not call('ZSCORE', Key.timers(), 't' .. tenant) then
      self:report('tenant %s is parked by a pause that is over', tenant)
    end
    self.jobs_of[tenant] = nil
  end
  for tenant in pairs(self.jobs_of) do
    self:report('tenant %s has jobs and no record', tenant)
  end
end

-- The permits of each tenant, which are those of the quota together; and whether each tenant that waits has a backlog.
function ConsistencyCheck:shared_quota(kind, name, quota)
  local f, held, word = call('HGETALL', kind.keys.hash(name)), 0, kind.word
  for i = 1, #f, 2 do
    local tenant = string.match(f[i], '^held:(.*)$')
    local found = tenant and (self.held_at[kind.kind .. name .. '/' .. tenant] or 0)
    if tenant and tonumber(f[i + 1]) ~= found then
      self:report('%s %s: tenant %s holds %s permits, counted %d', word, name, tenant, f[i + 1], found)
    end
    held = held + (tenant and tonumber(f[i + 1]) or 0)
  end
  if held ~= quota.running then
    self:report('%s %s: its tenants hold %d of %d permits', word, name, held, quota.running)
  end
  for _, tenant in ipairs(call('ZRANGE', kind.keys.tenants(name), 0, -1)) do
    if call('EXISTS', kind.keys.backlogs(name, tenant)) == 0 then
      self:report('%s %s: tenant %s waits without a backlog', word, name, tenant)
    end
  end
  local waits = call('EXISTS', kind.keys.tenants(name)) == 1
  if waits and quota.running < quota.concurrency and not quota.pause and not call('ZSCORE', Key.timers(), kind.kind .. name) then
    self:report('backlogs wait for %s %s, which is free', word, name)
  end
  if waits and not call('ZSCORE', Key.waited_for(), kind.kind .. name) then
    self:report('backlogs wait for %s %s, and waited_for does not name it', word, name)
  end
end

function ConsistencyCheck:modules()
  for name in pairs(self:keys(Key.module(''))) do
    if not string.find(name, ':parked', 1, true) then
      local quota = Module:read(name)
      if quota.running ~= (self.running_in[name] or 0) then
        self:report('module %s: permits %d, counted %d', name, quota.running, self.running_in[name] or 0)
      end
      if quota.running == 0 and not quota.parked and call('TTL', Key.module(name)) < 0 then
        self:report('module %s is idle, and its record has no time to live', name)
      end
      self:shared_quota(Module, name, quota)
    end
  end
end

function ConsistencyCheck:fleet()
  local quota = Fleet.read()
  if quota and quota.running ~= self.running then
    self:report('fleet: permits %d, counted %d', quota.running, self.running)
  end
end

function ConsistencyCheck:domains()
  for name in pairs(self:keys(Key.domain(''))) do
    if not string.match(name, ':parked$') and not string.match(name, ':parked:[^:]*$') then
      local quota, jobs = Domain:read(name), number(call('HGET', Key.domain(name), 'jobs'))
      if jobs ~= (self.jobs_at[name] or 0) or quota.running ~= (self.running_at[name] or 0) then
        self:report('domain %s: jobs %d, permits %d, counted %d', name, jobs, quota.running, self.running_at[name] or 0)
      end
      if jobs == 0 and not quota.parked and call('TTL', Key.domain(name)) < 0 then
        self:report('domain %s is idle, and its record has no time to live', name)
      end
      self:shared_quota(Domain, name, quota)
    end
  end
end

-- The digest in `meta` is that of the pauses, and what has an end has a timer.
function ConsistencyCheck:pauses()
  local digest = call('HGET', Key.meta(), 'paused') or nil
  Pause.use(nil)
  Pause.use(digest)
  local count = 0
  for _, each in ipairs(Pause.all()) do
    count = count + 1
    if each.until_ms and not call('ZSCORE', Key.timers(), each.kind .. each.name) then
      self:report('the pause of %s%s has an end and no timer', each.kind, each.name)
    end
  end
  local kept = call('HLEN', Key.paused())
  if (digest ~= nil) ~= (kept > 0) or count > kept then
    self:report('%d pauses, %d in force, digest %s', kept, count, tostring(digest))
  end
end

function ConsistencyCheck:contexts()
  for name in pairs(self:keys(Key.context_named(''))) do
    local tenant, context, priority = string.match(name, '^([^/]*)/([^:]*):(.)$')
    local open = call('ZSCORE', Key.open_contexts(tenant, priority), context)
    local profile = Context.profile(context)
    if profile and not call('ZSCORE', Key.profile_contexts(tenant, profile), context) then
      self:report('context %s has work, and is not among those of its profile', name)
    end
    local held = profile and Profile.is_held(tenant, profile)
    local waits = call('ZSCORE', Key.held_contexts(tenant), context)
      and call('ZSCORE', Key.waiting_contexts(), tenant .. '/' .. context)
    if held and (open or not waits) then
      self:report('context %s is held, and does not wait for its holder', name)
    elseif not held and not open then
      self:report('context %s has work and is not open', name)
    end
  end
end

function ConsistencyCheck:profiles()
  for name in pairs(self:keys(Key.profile_contexts_named(''))) do
    local tenant = string.match(name, '^[^/]*')
    for _, context in ipairs(call('ZRANGE', Key.profile_contexts_named(name), 0, -1)) do
      if not Context.has_work(tenant, context) then
        self:report('profile %s lists %s, which has no work', name, context)
      end
    end
  end
  for name in pairs(self:keys(Key.profile_named(''))) do
    if not call('ZSCORE', Key.profile_locks(), name) then
      self:report('profile %s is locked for ever', name)
    end
  end
end

local function check_consistency()
  local self = setmetatable({
    faults = {}, jobs_of = {}, jobs_at = {}, running_of = {}, running_at = {}, held_at = {}, leases = 0, listed = {},
    running_in = {}, running = 0, bytes_of = {}, starts_of = {},
  }, ConsistencyCheck)
  self:jobs()
  local leases, entries = call('ZCARD', Key.leases()), call('XLEN', Key.ready())
  if leases ~= self.leases or entries ~= self.leases then
    self:report('%d claimed jobs, %d leases, %d entries', self.leases, leases, entries)
  end
  self:tenants()
  self:domains()
  self:modules()
  self:fleet()
  self:pauses()
  self:contexts()
  self:profiles()
  self:listings()
  self:cancellations()
  self:dead_letters()
  self:batches()
  return self.faults
end
