-- audit: does everything derived agree with what it is derived from? Replies what does not, one line each. Looks at
-- every key of the shard at once: for tests and for an operator who has a doubt, not for a schedule.

local Audit = {}
Audit.__index = Audit

function Audit:complain(...)
  self.faults[#self.faults + 1] = string.format(...)
end

function Audit:keys(kind)
  local root, cursor, found = P .. kind .. ':', '0', {}
  repeat
    local page = call('SCAN', cursor, 'MATCH', string.gsub(root, '([%[%]*?\\])', '\\%1') .. '*', 'COUNT', 1000)
    cursor = page[1]
    for _, key in ipairs(page[2]) do
      found[string.sub(key, #root + 1)] = true
    end
  until cursor == '0'
  return found
end

local function count(tally, who)
  tally[who] = (tally[who] or 0) + 1
end

function Audit:queued_entries()
  local entries = {}
  for name in pairs(self:keys('lane')) do
    for _, entry in ipairs(call('LRANGE', P .. 'lane:' .. name, 0, -1)) do
      entries[entry] = name
    end
    local t, c, d, p = string.match(name, '^([^/]*)/([^/]*)/(.*):(.)$')
    local runs = call('ZSCORE', Context.key(t, c, p), d)
    local waits = d ~= NO_DOMAIN and Domain.is_parked(t .. '/' .. c .. '/' .. d, d)
    if runs and waits then
      self:complain('lane %s is both in its context and parked', name)
    elseif not runs and not waits then
      self:complain('lane %s is nowhere', name)
    end
    if not call('ZSCORE', P .. 'listed:lanes', name) then
      self:complain('lane %s is not listed', name)
    end
  end
  return entries
end

function Audit:jobs()
  local entries, verdicts, pending = self:queued_entries(), {}, {}
  for _, id in ipairs(call('LRANGE', P .. 'verdicts', 0, -1)) do
    verdicts[id] = true
  end
  local page = redis.pcall('XPENDING', P .. 'ready', GROUP, '-', '+', 1000000)
  for _, row in ipairs(page.err and {} or page) do
    pending[row[1]] = row[2]
  end
  local jobs_ = 0
  for id in pairs(self:keys('job')) do
    jobs_ = jobs_ + 1
    local job = Job.read(id)
    count(self.jobs_of, job.t)
    if job.d ~= NO_DOMAIN then
      count(self.jobs_at, job.d)
    end
    local place = job.t .. '/' .. job.c .. '/' .. job.d .. ':' .. job.p
    if job.s == 'q' and entries[job.q .. ' ' .. id] ~= place then
      self:complain('job %s is queued nowhere', id)
    elseif job.s == 'd' and not call('ZSCORE', P .. 'delayed', id) then
      self:complain('job %s is delayed for ever', id)
    elseif job.s == 'v' and not verdicts[id] then
      self:complain('job %s waits for a verdict nobody reads', id)
    elseif job.s == 'r' then
      self:running(id, job, pending)
    end
    self:waits(id, job)
  end
  if jobs_ ~= number(call('HGET', P .. 'meta', 'jobs')) then
    self:complain('%d jobs, counted %s', jobs_, tostring(call('HGET', P .. 'meta', 'jobs')))
  end
  for entry, worker in pairs(pending) do
    self:complain('entry %s of %s is pending without a job', entry, worker)
  end
end

-- What is listed, and what time ends.
function Audit:waits(id, job)
  for state, s in pairs({ delayed = 'd', verdict = 'v' }) do
    local listed = call('ZSCORE', P .. 'listed:' .. state, id) and true or false
    if listed ~= (job.s == s) then
      self:complain('job %s is in state %s, listed as %s: %s', id, job.s, state, tostring(listed))
    end
    count(self.listed, listed and state or '')
  end
  local expires = call('ZSCORE', P .. 'expiry', id) and true or false
  local may = Job.begins_within(job) and (job.s == 'q' or job.s == 'd') or false
  if may and not expires then
    self:complain('job %s waits and does not expire', id)
  elseif expires and not may and job.s ~= 'v' then
    self:complain('job %s is in state %s and expires', id, job.s)
  end
end

function Audit:indexes()
  local lanes = 0
  for _ in pairs(self:keys('lane')) do
    lanes = lanes + 1
  end
  for name, most in pairs({ lanes = lanes, delayed = self.listed.delayed or 0, verdict = self.listed.verdict or 0 }) do
    local found = call('ZCARD', P .. 'listed:' .. name)
    if found ~= most then
      self:complain('%d listed under %s, there are %d', found, name, most)
    end
  end
end

function Audit:cancellations()
  local counts = {}
  for _, id in ipairs(call('ZRANGE', P .. 'cancelled', 0, -1)) do
    count(counts, string.match(id, '^([^/]*)/'))
  end
  local kept = call('HGETALL', P .. 'cancelled:counts')
  for i = 1, #kept, 2 do
    if (counts[kept[i]] or 0) ~= tonumber(kept[i + 1]) then
      self:complain('tenant %s has %d cancellations, counted %s', kept[i], counts[kept[i]] or 0, kept[i + 1])
    end
    counts[kept[i]] = nil
  end
  for t in pairs(counts) do
    self:complain('tenant %s has cancellations and no count', t)
  end
end

function Audit:letters()
  local bytes, weights = 0, {}
  for _, entry in ipairs(call('XRANGE', P .. 'dead', '-', '+')) do
    local size, t = Letters.size(entry[2])
    bytes = bytes + size
    weights[t] = (weights[t] or 0) + size + ENTRY_BYTES
    if not call('ZSCORE', P .. 'dead:of:' .. t, entry[1]) then
      self:complain('dead letter %s is not among those of tenant %s', entry[1], t)
    end
  end
  if bytes ~= number(call('HGET', P .. 'meta', 'dead')) then
    self:complain('dead letters have %d bytes, counted %s', bytes, tostring(call('HGET', P .. 'meta', 'dead')))
  end
  local kept = call('ZRANGE', P .. 'dead:weight', 0, -1, 'WITHSCORES')
  for i = 1, #kept, 2 do
    if (weights[kept[i]] or 0) ~= tonumber(kept[i + 1]) then
      self:complain('dead letters of tenant %s weigh %d, counted %s', kept[i], weights[kept[i]] or 0, kept[i + 1])
    end
  end
end

function Audit:running(id, job, pending)
  if not call('ZSCORE', P .. 'leases', id) then
    self:complain('job %s runs without a lease', id)
  end
  if pending[job.x] ~= job.w then
    self:complain('job %s is not pending with %s', id, job.w)
  end
  pending[job.x] = nil
  self.leases = self.leases + 1
  if job.pm == '1' then
    count(self.running_of, job.t)
    if job.d ~= NO_DOMAIN then
      count(self.running_at, job.d)
    end
  end
end

function Audit:tenants()
  for t in pairs(self:keys('tenant')) do
    local who = Tenant.read(t)
    local jobs_, runs = number(call('HGET', P .. 'tenant:' .. t, 'n')), self.running_of[t] or 0
    if jobs_ ~= (self.jobs_of[t] or 0) or who.run ~= runs then
      self:complain('tenant %s: jobs %d, counted %d; permits %d, counted %d', t, jobs_, self.jobs_of[t] or 0, who.run, runs)
    end
    if jobs_ == 0 and call('TTL', P .. 'tenant:' .. t) < 0 then
      self:complain('tenant %s is idle and stays for ever', t)
    end
    local op = ''
    for _, p in ipairs(PRIORITIES) do
      if call('EXISTS', P .. 'open:' .. t .. ':' .. p) == 1 then
        op = op .. p
        if not string.find(who.op, p, 1, true) then
          self:complain('tenant %s is open at %s and does not know it', t, p)
        end
      end
    end
    if #op ~= #who.op then
      self:complain('tenant %s is open at %s, and believes %s', t, op, who.op)
    end
    local open, active = op ~= '', call('ZSCORE', P .. 'active', t)
    local parked = call('ZSCORE', P .. 'parked', t)
    if open and not active and not parked then
      self:complain('tenant %s has work and no place', t)
    elseif active and (not open or parked) then
      self:complain('tenant %s is active, open %s, parked %s', t, tostring(open), tostring(parked))
    elseif (parked and true or false) ~= (who.pk and true or false) then
      self:complain('tenant %s is parked only half', t)
    elseif who.pk == 'c' and who.run < who.concurrency then
      self:complain('tenant %s is parked with permits to spare', t)
    elseif who.pk == 'r' and not call('ZSCORE', P .. 'timers', 't' .. t) then
      self:complain('tenant %s is throttled for ever', t)
    end
    self.jobs_of[t] = nil
  end
  for t in pairs(self.jobs_of) do
    self:complain('tenant %s has jobs and no record', t)
  end
end

function Audit:domains()
  for name in pairs(self:keys('domain')) do
    local d, is_list = string.match(name, '^(.*):parked$'), true
    if not d then
      d, is_list = name, false
    end
    if not is_list then
      local who, jobs_ = Domain.read(d), number(call('HGET', P .. 'domain:' .. d, 'n'))
      if jobs_ ~= (self.jobs_at[d] or 0) or who.run ~= (self.running_at[d] or 0) then
        self:complain('domain %s: jobs %d, permits %d, counted %d', d, jobs_, who.run, self.running_at[d] or 0)
      end
      if jobs_ == 0 and call('TTL', P .. 'domain:' .. d) < 0 then
        self:complain('domain %s is idle and stays for ever', d)
      end
      local waits = call('EXISTS', P .. 'domain:' .. d .. ':parked') == 1
      if waits and who.run < who.concurrency and not call('ZSCORE', P .. 'timers', 'd' .. d) then
        self:complain('lanes wait for domain %s, which is free', d)
      end
    end
  end
end

function Audit:contexts()
  for name in pairs(self:keys('ctx')) do
    local t, c, p = string.match(name, '^([^/]*)/([^:]*):(.)$')
    local open = call('ZSCORE', P .. 'open:' .. t .. ':' .. p, c)
    local f = Context.profile(c)
    if f and not call('ZSCORE', P .. 'sets:' .. t .. '/' .. f, c) then
      self:complain('context %s has work, and its profile does not know it', name)
    end
    local held = f and Profile.is_held(t, f)
    if held and (open or not call('ZSCORE', P .. 'held:' .. t, c) or not call('ZSCORE', P .. 'waiting', t .. '/' .. c)) then
      self:complain('context %s is held and not waiting for its holder', name)
    elseif not held and not open then
      self:complain('context %s has work and is not open', name)
    end
  end
  for name in pairs(self:keys('sets')) do
    local t = string.match(name, '^[^/]*')
    for _, c in ipairs(call('ZRANGE', P .. 'sets:' .. name, 0, -1)) do
      if not Context.has_work(t, c) then
        self:complain('profile %s believes that %s has work', name, c)
      end
    end
  end
  for name in pairs(self:keys('profile')) do
    if not call('ZSCORE', P .. 'locks', name) then
      self:complain('profile %s is locked for ever', name)
    end
  end
end

local function audit()
  local self = setmetatable({
    faults = {}, jobs_of = {}, jobs_at = {}, running_of = {}, running_at = {}, leases = 0, listed = {},
  }, Audit)
  self:jobs()
  if call('ZCARD', P .. 'leases') ~= self.leases or call('XLEN', P .. 'ready') ~= self.leases then
    self:complain('%d run, %d leases, %d entries', self.leases, call('ZCARD', P .. 'leases'), call('XLEN', P .. 'ready'))
  end
  self:tenants()
  self:domains()
  self:contexts()
  self:indexes()
  self:cancellations()
  self:letters()
  return self.faults
end
