-- Concurrency and rate limits of a tenant, a domain, a module or the fleet, called its quota here. A quota's hash holds `limits` (weight,
-- concurrency, rate, burst as text; rate 0: no rate limit), `running` (permits in use), and `tokens` at `tokens_at`.
--
-- Used by: fn_claim, fn_inspect, fleet, module, shared_quota, tenant.

local NO_LIMITS = '1 1000 0 100'
local TOLD_AGAIN_MS = 60000

local limits_cache = { size = 0 } -- parsed texts; few tenants differ in theirs. Emptied when it grows.

-- Weight, concurrency, rate per second, burst.
function Limits.parse(text)
  local found = limits_cache[text]
  if found then
    return found[1], found[2], found[3], found[4]
  end
  local weight, concurrency, rate, burst = string.match(text, '^(%S+) (%S+) (%S+) (%S+)$')
  if limits_cache.size > 200 then
    limits_cache = { size = 0 }
  end
  limits_cache.size = limits_cache.size + 1
  found = { tonumber(weight), tonumber(concurrency), tonumber(rate), tonumber(burst) }
  limits_cache[text] = found
  return found[1], found[2], found[3], found[4]
end

function Limits.tokens(quota)
  if not quota.tokens_at then
    return quota.burst
  end
  -- If the clock was set back, the instant is still to come. It refills the same: otherwise nothing would, until then.
  return min(quota.burst, quota.tokens + math.abs(NOW - quota.tokens_at) * quota.rate / 1000)
end

-- True if no token is missing.
function Limits.is_full(quota)
  return quota.rate <= 0 or Limits.tokens(quota) >= quota.burst
end

-- Whether this quota allows a further job now. Returns one of:
--   nil             it allows one
--   'concurrency'   it does not: all permits are in use
--   'rate', at      it does not: there is no token before the instant `at` (milliseconds)
--   'paused', at    it does not: an operator paused it (see pause.lua), until the instant `at`; nil: without end
function Limits.throttled(quota)
  if quota.pause then
    return 'paused', quota.pause.until_ms
  end
  if quota.running >= quota.concurrency then
    return 'concurrency'
  end
  if quota.rate > 0 then
    local tokens = Limits.tokens(quota)
    if tokens < 1 - 1e-9 then
      return 'rate', NOW + max(1, math.ceil((1 - tokens) * 1000 / quota.rate))
    end
  end
  return nil
end

-- What people read of a used up quota. `word`: tenant, domain, module or fleet.
function Limits.reason(word, reason)
  return 'throttled: ' .. word .. ' ' .. reason
end

-- Publish the event `throttled`, at most once a minute for the same tenant. `channel`: the tenant, or `_fleet`. `key`: the
-- hash that remembers when it was told, `told_at` what that says.
function Limits.tell(channel, key, told_at, text)
  if number(told_at) > NOW - TOLD_AGAIN_MS then
    return
  end
  call('HSET', key, 'told_at', NOW)
  local event = { event = 'throttled', at = rfc3339(NOW), detail = { reason = text } }
  event.tenant_id = channel ~= '_fleet' and channel or nil
  Subscriptions.publish(channel, cjson.encode(event))
end

-- How many further jobs this quota allows now.
function Limits.spare(quota)
  local permits = quota.concurrency - quota.running
  return quota.rate > 0 and min(permits, math.floor(Limits.tokens(quota) + 1e-9)) or permits
end

-- Take a permit and a token, in the table only.
function Limits.take_permit(quota)
  quota.running = quota.running + 1
  if quota.rate > 0 then
    quota.tokens = Limits.tokens(quota) - 1
    quota.tokens_at = NOW
  end
end

-- How long the hash of an idle quota must be kept, so that forgetting it does not refill its tokens.
function Limits.memory_seconds(quota)
  if quota.rate > 0 then
    return max(IDLE_SECONDS, math.ceil(quota.burst / quota.rate))
  end
  return IDLE_SECONDS
end
