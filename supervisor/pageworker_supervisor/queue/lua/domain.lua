-- A domain: its quota (see limits.lua) and, where that is used up, the backlogs that wait for it. A backlog is taken out of
-- its context as a whole, so a claim never looks past many jobs that cannot run.
--
-- Backlogs come back one at a time as permits and tokens do; the one that waits longest comes first. A backlog whose
-- tenant cannot use the permit now goes back to its tenant without being counted. While permits stay unused and backlogs
-- still wait, a timer looks again.
--
-- Used by: fn_audit, fn_claim, fn_enqueue, backlog, job, timer.

local UNPARKED_PER_CALL = 16
local LOOK_AGAIN_MS = 200

function Domain.read(domain)
  local f = call('HMGET', Key.domain(domain), 'limits', 'running', 'tokens', 'tokens_at')
  local quota = {
    name = domain,
    running = number(f[2]),
    tokens = number(f[3]),
    tokens_at = f[4] and tonumber(f[4]),
  }
  quota.weight, quota.concurrency, quota.rate, quota.burst = Limits.parse(f[1] or NO_LIMITS)
  return quota
end

-- True where backlogs of this tenant and context wait for the domain.
function Domain.is_parked(tenant, context, domain)
  return call('ZSCORE', Key.parked_backlogs(domain), tenant .. '/' .. context .. '/' .. domain) and true or false
end

-- Take the backlogs of a tenant and context out of their context until the domain allows another job.
function Domain.park(tenant, context, domain, reason, at)
  for _, priority in ipairs(PRIORITIES) do
    Context.drop_backlog(tenant, context, domain, priority)
  end
  call('ZADD', Key.parked_backlogs(domain), 'NX', Shard.stamp(), tenant .. '/' .. context .. '/' .. domain)
  call('HSET', Key.domain(domain), 'parked', 1)
  if reason == 'rate' then
    Timer.add('d' .. domain, at)
  end
end

-- Give waiting backlogs back to their tenants until `wanted` of them can use the domain.
function Domain.unpark(domain, wanted)
  local reason, at = Limits.throttled(Domain.read(domain))
  if reason == 'rate' then
    Timer.add('d' .. domain, at)
  end
  if reason then
    return
  end
  for _ = 1, UNPARKED_PER_CALL do
    local waiting = call('ZPOPMIN', Key.parked_backlogs(domain))[1]
    if not waiting then
      call('HDEL', Key.domain(domain), 'parked')
      return
    end
    local tenant, context = string.match(waiting, '^([^/]*)/([^/]*)/')
    for _, priority in ipairs(PRIORITIES) do
      if call('EXISTS', Key.backlog(tenant, context, domain, priority)) == 1 then
        Context.add_backlog(tenant, context, domain, priority)
      end
    end
    if not Tenant.is_parked(tenant) then
      wanted = wanted - 1
    end
    if wanted <= 0 then
      break
    end
  end
  Timer.add('d' .. domain, NOW + LOOK_AGAIN_MS)
end

function Domain.take_permit(quota)
  Limits.take_permit(quota)
  if quota.rate > 0 then
    call(
      'HSET', Key.domain(quota.name),
      'running', quota.running, 'tokens', quota.tokens, 'tokens_at', quota.tokens_at
    )
  else
    call('HSET', Key.domain(quota.name), 'running', quota.running)
  end
end

function Domain.release_permit(domain)
  call('HINCRBY', Key.domain(domain), 'running', -1)
  if call('HGET', Key.domain(domain), 'parked') then
    Domain.unpark(domain, 1)
  end
end

function Domain.set_limits(domain, text)
  if call('HGET', Key.domain(domain), 'limits') == text then
    return
  end
  call('HSET', Key.domain(domain), 'limits', text)
  if call('HGET', Key.domain(domain), 'parked') then
    Domain.unpark(domain, SLOT_TOKENS)
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
