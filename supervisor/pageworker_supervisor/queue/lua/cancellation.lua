-- Cancellations of jobs that the queue does not know: their texts may be on their way through the inbox. Each is remembered
-- for a while, and a job that is enqueued meanwhile ends as cancelled without running.
--
-- `cancellations` holds them by when they are forgotten, `cancellations:counts` how many each tenant has. A tenant that
-- has reached its limit is refused more: an acknowledged cancellation is never forgotten in favour of a later one.
--
-- Used by: fn_enqueue, fn_finish.

local CANCELLATIONS_PER_TENANT = 10000
local CANCELLATIONS = 100000

local function tenant_of(id)
  return string.match(id, '^([^/]*)/') or ''
end

local function forget_cancellation(id)
  if call('ZREM', Key.cancellations(), id) == 1 then
    local tenant = tenant_of(id)
    if call('HINCRBY', Key.cancellation_counts(), tenant, -1) <= 0 then
      call('HDEL', Key.cancellation_counts(), tenant)
    end
  end
end

-- True if any is remembered. Most calls of `enqueue` need not look for each job.
function Cancellation.any()
  return call('EXISTS', Key.cancellations()) == 1
end

-- Remember one for `ttl` milliseconds. False: no more are remembered for this tenant now.
function Cancellation.remember(id, ttl)
  for _, old in ipairs(call('ZRANGEBYSCORE', Key.cancellations(), '-inf', NOW, 'LIMIT', 0, SLICE)) do
    forget_cancellation(old)
  end
  local tenant = tenant_of(id)
  if not call('ZSCORE', Key.cancellations(), id) then
    if number(call('HGET', Key.cancellation_counts(), tenant)) >= CANCELLATIONS_PER_TENANT then
      return false
    end
    if call('ZCARD', Key.cancellations()) >= CANCELLATIONS then
      return false
    end
    call('HINCRBY', Key.cancellation_counts(), tenant, 1)
  end
  call('ZADD', Key.cancellations(), 'GT', NOW + ttl, id)
  local left = max(ttl, call('PTTL', Key.cancellations()))
  call('PEXPIRE', Key.cancellations(), left)
  call('PEXPIRE', Key.cancellation_counts(), left)
  return true
end

-- True if this job, which is being enqueued, was cancelled before. The cancellation is then forgotten.
function Cancellation.take(id)
  local until_ = call('ZSCORE', Key.cancellations(), id)
  if not until_ then
    return false
  end
  forget_cancellation(id)
  return tonumber(until_) > NOW
end
