-- A quota that tenants share: of a domain or of a module (see limits.lua). Where it is used up, the backlogs that need it
-- wait for it. A backlog is taken out of its context as a whole, so a claim never looks past many jobs that cannot run.
--
-- Backlogs come back one at a time as permits and tokens do. The next one is of the waiting tenant that holds the fewest
-- permits of the quota, and of several such tenants, of the one that was served longest ago. So one tenant gets a permit
-- beyond its share only while no other tenant waits. Nothing takes a permit from a job that runs: what a tenant got while
-- it was alone, it holds until its jobs end. A backlog whose tenant cannot use the permit now goes back to its tenant
-- without being counted. While permits stay unused and backlogs still wait, a timer looks again.
--
-- `held:<tenant>` in the quota's hash counts the permits of a tenant. `waited_for` names each quota that backlogs wait for.
--
-- A backlog that waits is written as its context; where it is one of a module with limits, followed by its limit key.
--
-- Used by: fn_check_consistency, fn_claim, fn_enqueue, fn_inspect, backlog, job, timer.

local UNPARKED_PER_CALL = 16
local TENANTS_COMPARED = 16
local LOOK_AGAIN_MS = 200

-- The key of a backlog within its context: its domain and, if its jobs' module has limits, the module:
-- `<domain>` or `<domain>|<module>`.
local LimitKey = {}

function LimitKey.of(domain, module)
  return module and domain .. '|' .. module or domain
end

local parsed_keys, parsed_count = {}, 0 -- emptied when it grows

-- Domain, and module or nil.
function LimitKey.parse(key)
  local found = parsed_keys[key]
  if not found then
    if parsed_count >= 1000 then
      parsed_keys, parsed_count = {}, 0
    end
    local domain, module = string.match(key, '^([^|]*)|(.*)$')
    found = { domain or key, module }
    parsed_keys[key], parsed_count = found, parsed_count + 1
  end
  return found[1], found[2]
end

local function entry_of(context, key)
  return string.find(key, '|', 1, true) and context .. ' ' .. key or context
end

local SharedQuota = {}

-- The whole quota. `tenant`: also how many permits of it this tenant holds. A claim and an end read less, see below.
function SharedQuota:read(name, tenant)
  local key, text, f, unlimited = self.keys.hash(name), self.limits_of(name), nil, false
  if text then
    f = call('HMGET', key, 'running', 'tokens', 'tokens_at', 'parked', 'jobs', 'held:' .. (tenant or ''))
  else
    f = call('HMGET', key, 'running', 'tokens', 'tokens_at', 'parked', 'jobs', 'held:' .. (tenant or ''), 'limits')
    text = f[7] or NO_LIMITS
    unlimited = not f[7]
  end
  local quota = {
    name = name,
    key = key,
    running = number(f[1]),
    is_stored = f[1] and true or false,
    tokens = number(f[2]),
    tokens_at = f[3] and tonumber(f[3]),
    parked = f[4],
    jobs = number(f[5]),
    held = number(f[6]),
    unlimited = unlimited, -- a module that is only paused: its permits are not counted
  }
  quota.weight, quota.concurrency, quota.rate, quota.burst = Limits.parse(text)
  quota.pause = Pause.of(self.kind, name)
  return quota
end

-- What a claim needs to know: whether the quota allows a further job, and what to write if it takes a permit.
function SharedQuota:read_to_take(name, tenant)
  local text = self.limits_of(name)
  if not text then
    return self:read(name, tenant)
  end
  local weight, concurrency, rate, burst = Limits.parse(text)
  local key, f = self.keys.hash(name), nil
  if rate > 0 then
    f = call('HMGET', key, 'running', 'held:' .. tenant, 'tokens', 'tokens_at')
  else
    f = call('HMGET', key, 'running', 'held:' .. tenant)
  end
  return {
    name = name, key = key, running = number(f[1]), is_stored = f[1] and true or false, held = number(f[2]),
    tokens = number(f[3]), tokens_at = f[4] and tonumber(f[4]),
    weight = weight, concurrency = concurrency, rate = rate, burst = burst, pause = Pause.of(self.kind, name),
  }
end

-- What the end of a lease needs to know: see release_permit. Without tokens, and without the limits.
function SharedQuota:read_to_release(name, tenant)
  local key = self.keys.hash(name)
  local f = call('HMGET', key, 'running', 'held:' .. tenant, 'parked', 'jobs')
  return {
    name = name, key = key, running = number(f[1]), held = number(f[2]), parked = f[3], jobs = number(f[4]),
  }
end

-- True if the backlogs of this tenant, context and limit key wait for the quota.
function SharedQuota:is_parked(name, tenant, context, key)
  return call('ZSCORE', self.keys.backlogs(name, tenant), entry_of(context, key)) and true or false
end

-- Take the backlogs of a tenant, context and limit key out of their context until the quota allows another job.
function SharedQuota:park(name, tenant, context, key, reason, at)
  for _, priority in ipairs(PRIORITIES) do
    Context.drop_backlog(tenant, context, key, priority)
  end
  call('ZADD', self.keys.backlogs(name, tenant), 'NX', Shard.stamp(), entry_of(context, key))
  call('ZADD', self.keys.tenants(name), 'NX', Shard.stamp(), tenant)
  call('HSET', self.keys.hash(name), 'parked', 1)
  call('ZADD', Key.waited_for(), 'NX', NOW, self.kind .. name)
  if at then
    Timer.add(self.kind .. name, at)
  end
  if reason == 'paused' then
    return
  end
  local told_at = call('HGET', Key.tenant(tenant), 'told_at')
  Limits.tell(tenant, Key.tenant(tenant), told_at, Limits.reason(self.word, reason))
end

-- The tenant whose backlog comes back next; nil if none waits. `given`: permits that this call set aside, by tenant.
function SharedQuota:next_parked_tenant(name, given)
  local waiting, fields = call('ZRANGE', self.keys.tenants(name), 0, TENANTS_COMPARED - 1), {}
  if #waiting < 2 then
    return waiting[1]
  end
  for i, tenant in ipairs(waiting) do
    fields[i] = 'held:' .. tenant
  end
  local held, best, fewest = call('HMGET', self.keys.hash(name), unpack(fields)), nil, nil
  for i, tenant in ipairs(waiting) do
    local count = number(held[i]) + (given[tenant] or 0)
    if not best or count < fewest then
      best, fewest = tenant, count
    end
  end
  return best
end

-- Take the tenant's backlog that waits longest: context and limit key. The tenant goes to the end of the order.
function SharedQuota:pop_parked(name, tenant)
  local entry = call('ZPOPMIN', self.keys.backlogs(name, tenant))[1]
  if call('EXISTS', self.keys.backlogs(name, tenant)) == 1 then
    call('ZADD', self.keys.tenants(name), Shard.stamp(), tenant)
  else
    call('ZREM', self.keys.tenants(name), tenant)
  end
  local context, key = string.match(entry, '^(%S*) ?(.*)$')
  return context, key ~= '' and key or name
end

-- Give waiting backlogs back to their tenants until `wanted` of them can use the quota; no more than it permits now,
-- because then the order of tenants would decide, and not that of the quota.
function SharedQuota:unpark(name, wanted)
  local quota = self:read(name)
  local reason, at = Limits.throttled(quota)
  if at then
    Timer.add(self.kind .. name, at)
  end
  if reason then
    if not quota.parked and call('EXISTS', self.keys.tenants(name)) == 1 then
      call('HSET', self.keys.hash(name), 'parked', 1) -- a pause may outlast this hash, which a release looks at
    end
    return
  end
  wanted = min(wanted, Limits.spare(quota))
  local given = {}
  for _ = 1, UNPARKED_PER_CALL do
    local tenant = self:next_parked_tenant(name, given)
    if not tenant then
      call('HDEL', self.keys.hash(name), 'parked')
      call('ZREM', Key.waited_for(), self.kind .. name)
      return
    end
    local context, key = self:pop_parked(name, tenant)
    for _, priority in ipairs(PRIORITIES) do
      if call('EXISTS', Key.backlog(tenant, context, key, priority)) == 1 then
        Context.add_backlog(tenant, context, key, priority)
      end
    end
    given[tenant] = (given[tenant] or 0) + 1
    if not Tenant.is_parked(tenant) then
      wanted = wanted - 1
    end
    if wanted <= 0 then
      break
    end
  end
  Timer.add(self.kind .. name, NOW + ((wanted > 0 or quota.unlimited) and 1 or LOOK_AGAIN_MS))
end

-- `quota` was read with this tenant.
function SharedQuota:take_permit(quota, tenant)
  Limits.take_permit(quota)
  local running, held = number_text(quota.running), number_text(quota.held + 1)
  if quota.rate > 0 then
    call(
      'HSET', quota.key, 'running', running, 'held:' .. tenant, held, 'tokens', quota.tokens, 'tokens_at', NOW_TEXT
    )
  else
    call('HSET', quota.key, 'running', running, 'held:' .. tenant, held)
  end
end

-- Give back the permit that the tenant held. `quota` was read with this tenant. Further arguments: fields and values to
-- write too.
function SharedQuota:release_permit(quota, tenant, ...)
  local key = quota.key
  quota.running, quota.held = quota.running - 1, quota.held - 1
  local running = number_text(quota.running)
  if quota.held > 0 then
    call('HSET', key, 'running', running, 'held:' .. tenant, number_text(quota.held), ...)
  else
    call('HSET', key, 'running', running, ...)
    call('HDEL', key, 'held:' .. tenant)
  end
  if quota.parked then
    self:unpark(quota.name, 1)
  end
end

-- Another table of limits is in force: look again at every quota of this kind that backlogs wait for.
function SharedQuota:apply_limits()
  for _, name in ipairs(call('ZRANGE', Key.waited_for(), 0, -1)) do
    if string.sub(name, 1, 1) == self.kind then
      self:unpark(string.sub(name, 2), UNPARKED_PER_CALL)
    end
  end
end

-- `kind`: first letter in `timers` and `waited_for`. `word`: what people call it. `keys`: key of its hash, of the tenants
-- that wait, and of the backlogs of such a tenant. `limits_of`: its limits in the table that is in force. While a library
-- is being loaded there is neither `setmetatable` nor `pairs`, so each method is named.
local function define(quota, kind, word, keys, limits_of)
  quota.kind, quota.word, quota.keys, quota.limits_of = kind, word, keys, limits_of
  quota.read, quota.is_parked, quota.park, quota.unpark =
    SharedQuota.read, SharedQuota.is_parked, SharedQuota.park, SharedQuota.unpark
  quota.read_to_take, quota.read_to_release = SharedQuota.read_to_take, SharedQuota.read_to_release
  quota.next_parked_tenant, quota.pop_parked = SharedQuota.next_parked_tenant, SharedQuota.pop_parked
  quota.take_permit, quota.release_permit = SharedQuota.take_permit, SharedQuota.release_permit
  quota.apply_limits = SharedQuota.apply_limits
end

define(Domain, 'd', 'domain', {
  hash = Key.domain, tenants = Key.parked_tenants, backlogs = Key.parked_backlogs,
}, LimitsTable.domain)

define(Module, 'm', 'module', {
  hash = Key.module, tenants = Key.module_tenants, backlogs = Key.module_backlogs,
}, LimitsTable.module)

-- Where the backlogs of this tenant, context and limit key wait, if they do.
function LimitKey.is_parked(tenant, context, key)
  local domain, module = LimitKey.parse(key)
  return domain ~= NO_DOMAIN and Domain:is_parked(domain, tenant, context, key)
    or module and Module:is_parked(module, tenant, context, key)
    or false
end

-- The limits that came with a job. They count only while no table of limits is in force.
function Domain.set_limits(domain, text)
  if call('HGET', Key.domain(domain), 'limits') == text then
    return
  end
  call('HSET', Key.domain(domain), 'limits', text)
  if call('HGET', Key.domain(domain), 'parked') then
    Domain:unpark(domain, UNPARKED_PER_CALL)
  end
end

function Domain.add_job(domain)
  if call('HINCRBY', Key.domain(domain), 'jobs', 1) == 1 then
    call('PERSIST', Key.domain(domain))
  end
end

-- A job that held no permit has ended.
function Domain.remove_job(domain)
  if call('HINCRBY', Key.domain(domain), 'jobs', -1) <= 0 then
    call('EXPIRE', Key.domain(domain), Limits.memory_seconds(Domain:read(domain)))
  end
end

-- A lease ends, and with `ends` its job too.
function Domain.end_lease(domain, tenant, ends)
  local quota = Domain:read_to_release(domain, tenant)
  local jobs = quota.jobs - (ends and 1 or 0)
  Domain:release_permit(quota, tenant, 'jobs', number_text(jobs))
  if jobs <= 0 then
    call('EXPIRE', quota.key, Limits.memory_seconds(Domain:read(domain)))
  end
end
