-- A domain: its quota (see limits.lua) and, where that is used up, the backlogs that wait for it. A backlog is taken out of
-- its context as a whole, so a claim never looks past many jobs that cannot run.
--
-- Backlogs come back one at a time as permits and tokens do. The next one is of the waiting tenant that holds the fewest
-- permits of the domain, and of several such tenants, of the one that was served longest ago. So one tenant gets a permit
-- beyond its share only while no other tenant waits. Nothing takes a permit from a job that runs: what a tenant got while
-- it was alone, it holds until its jobs end. A backlog whose tenant cannot use the permit now goes back to its tenant
-- without being counted. While permits stay unused and backlogs still wait, a timer looks again.
--
-- `held:<tenant>` in the domain's hash counts the permits of a tenant.
--
-- Used by: fn_audit, fn_claim, fn_enqueue, backlog, job, timer.

local UNPARKED_PER_CALL = 16
local TENANTS_COMPARED = 16
local LOOK_AGAIN_MS = 200

-- `tenant`: also how many permits of the domain this tenant holds.
function Domain.read(domain, tenant)
  local f = call('HMGET', Key.domain(domain), 'limits', 'running', 'tokens', 'tokens_at', 'held:' .. (tenant or ''))
  local quota = {
    name = domain,
    running = number(f[2]),
    tokens = number(f[3]),
    tokens_at = f[4] and tonumber(f[4]),
    held = number(f[5]),
  }
  local text = LimitsTable.domain(domain) or f[1] or NO_LIMITS
  quota.weight, quota.concurrency, quota.rate, quota.burst = Limits.parse(text)
  return quota
end

-- True where backlogs of this tenant and context wait for the domain.
function Domain.is_parked(tenant, context, domain)
  return call('ZSCORE', Key.parked_backlogs(domain, tenant), context) and true or false
end

-- Take the backlogs of a tenant and context out of their context until the domain allows another job.
function Domain.park(tenant, context, domain, reason, at)
  for _, priority in ipairs(PRIORITIES) do
    Context.drop_backlog(tenant, context, domain, priority)
  end
  call('ZADD', Key.parked_backlogs(domain, tenant), 'NX', Shard.stamp(), context)
  call('ZADD', Key.parked_tenants(domain), 'NX', Shard.stamp(), tenant)
  call('HSET', Key.domain(domain), 'parked', 1)
  call('ZADD', Key.waited_for(), 'NX', NOW, 'd' .. domain)
  if reason == 'rate' then
    Timer.add('d' .. domain, at)
  end
end

-- The tenant whose backlog comes back next; nil where none waits. `given`: permits that this call set aside, by tenant.
local function next_parked_tenant(domain, given)
  local waiting, fields = call('ZRANGE', Key.parked_tenants(domain), 0, TENANTS_COMPARED - 1), {}
  if #waiting < 2 then
    return waiting[1]
  end
  for i, tenant in ipairs(waiting) do
    fields[i] = 'held:' .. tenant
  end
  local held, best, fewest = call('HMGET', Key.domain(domain), unpack(fields)), nil, nil
  for i, tenant in ipairs(waiting) do
    local count = number(held[i]) + (given[tenant] or 0)
    if not best or count < fewest then
      best, fewest = tenant, count
    end
  end
  return best
end

-- Take the tenant's backlog that waits longest. The tenant goes to the end of the order.
local function pop_parked_context(domain, tenant)
  local context = call('ZPOPMIN', Key.parked_backlogs(domain, tenant))[1]
  if call('EXISTS', Key.parked_backlogs(domain, tenant)) == 1 then
    call('ZADD', Key.parked_tenants(domain), Shard.stamp(), tenant)
  else
    call('ZREM', Key.parked_tenants(domain), tenant)
  end
  return context
end

-- Give waiting backlogs back to their tenants until `wanted` of them can use the domain; no more than it permits now,
-- because then the order of tenants would decide, and not that of the domain.
function Domain.unpark(domain, wanted)
  local quota = Domain.read(domain)
  local reason, at = Limits.throttled(quota)
  if reason == 'rate' then
    Timer.add('d' .. domain, at)
  end
  if reason then
    return
  end
  wanted = min(wanted, Limits.spare(quota))
  local given = {}
  for _ = 1, UNPARKED_PER_CALL do
    local tenant = next_parked_tenant(domain, given)
    if not tenant then
      call('HDEL', Key.domain(domain), 'parked')
      call('ZREM', Key.waited_for(), 'd' .. domain)
      return
    end
    local context = pop_parked_context(domain, tenant)
    for _, priority in ipairs(PRIORITIES) do
      if call('EXISTS', Key.backlog(tenant, context, domain, priority)) == 1 then
        Context.add_backlog(tenant, context, domain, priority)
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
  Timer.add('d' .. domain, NOW + LOOK_AGAIN_MS)
end

-- `quota` was read with this tenant.
function Domain.take_permit(quota, tenant)
  Limits.take_permit(quota)
  if quota.rate > 0 then
    call(
      'HSET', Key.domain(quota.name),
      'running', quota.running, 'held:' .. tenant, quota.held + 1, 'tokens', quota.tokens, 'tokens_at', quota.tokens_at
    )
  else
    call('HSET', Key.domain(quota.name), 'running', quota.running, 'held:' .. tenant, quota.held + 1)
  end
end

function Domain.release_permit(domain, tenant)
  call('HINCRBY', Key.domain(domain), 'running', -1)
  if call('HINCRBY', Key.domain(domain), 'held:' .. tenant, -1) <= 0 then
    call('HDEL', Key.domain(domain), 'held:' .. tenant)
  end
  if call('HGET', Key.domain(domain), 'parked') then
    Domain.unpark(domain, 1)
  end
end

-- The limits that came with a job. They count only while no table of limits is in force.
function Domain.set_limits(domain, text)
  if call('HGET', Key.domain(domain), 'limits') == text then
    return
  end
  call('HSET', Key.domain(domain), 'limits', text)
  if call('HGET', Key.domain(domain), 'parked') then
    Domain.unpark(domain, SLOT_TOKENS)
  end
end

-- Another table of limits is in force: look again at every domain that backlogs wait for.
function Domain.apply_limits()
  for _, name in ipairs(call('ZRANGE', Key.waited_for(), 0, -1)) do
    Domain.unpark(string.sub(name, 2), UNPARKED_PER_CALL)
  end
end

function Domain.add_job(domain)
  if call('HINCRBY', Key.domain(domain), 'jobs', 1) == 1 then
    call('PERSIST', Key.domain(domain))
  end
end

function Domain.remove_job(domain)
  if call('HINCRBY', Key.domain(domain), 'jobs', -1) <= 0 then
    call('EXPIRE', Key.domain(domain), Limits.memory_seconds(Domain.read(domain)))
  end
end
