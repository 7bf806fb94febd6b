-- Cancellations of jobs that are not in the queue: their texts may be on their way through the inbox. Each is remembered
-- for a while, and a job that is taken in meanwhile ends as cancelled without a turn.
--
-- `cancelled` has them by when they are forgotten, `cancelled:counts` how many each tenant has. A tenant that has as
-- many as it may have is refused more: what was acknowledged is not forgotten for the sake of what comes later.

local CANCELLED_PER_TENANT = 10000
local CANCELLED_AT_MOST = 100000

local function tenant_of(id)
  return string.match(id, '^([^/]*)/') or ''
end

local function forget_cancellation(id)
  if call('ZREM', P .. 'cancelled', id) == 1 then
    local t = tenant_of(id)
    if call('HINCRBY', P .. 'cancelled:counts', t, -1) <= 0 then
      call('HDEL', P .. 'cancelled:counts', t)
    end
  end
end

-- Whether there are any: most enqueues need not ask for each job.
function Cancellation.any()
  return call('EXISTS', P .. 'cancelled') == 1
end

-- Remember one for `ttl` milliseconds. False: no more are remembered for this tenant now.
function Cancellation.remember(id, ttl)
  for _, old in ipairs(call('ZRANGEBYSCORE', P .. 'cancelled', '-inf', NOW, 'LIMIT', 0, SLICE)) do
    forget_cancellation(old)
  end
  local t = tenant_of(id)
  if not call('ZSCORE', P .. 'cancelled', id) then
    if number(call('HGET', P .. 'cancelled:counts', t)) >= CANCELLED_PER_TENANT then
      return false
    end
    if call('ZCARD', P .. 'cancelled') >= CANCELLED_AT_MOST then
      return false
    end
    call('HINCRBY', P .. 'cancelled:counts', t, 1)
  end
  call('ZADD', P .. 'cancelled', 'GT', NOW + ttl, id)
  local left = max(ttl, call('PTTL', P .. 'cancelled'))
  call('PEXPIRE', P .. 'cancelled', left)
  call('PEXPIRE', P .. 'cancelled:counts', left)
  return true
end

-- Whether this job, which comes now, is cancelled. It is then forgotten.
function Cancellation.take(id)
  local until_ = call('ZSCORE', P .. 'cancelled', id)
  if not until_ then
    return false
  end
  forget_cancellation(id)
  return tonumber(until_) > NOW
end
