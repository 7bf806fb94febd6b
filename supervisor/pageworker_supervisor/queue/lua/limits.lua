-- Concurrency and rate of a tenant or a domain. Both live in a hash: `lim` (weight, concurrency, rate, burst;
-- rate 0 is none), `run` (permits out), `tk` and `ts` (tokens at an instant).

local limits_cache = {} -- of the text, which few tenants differ in; emptied when it grows

function Limits.parse(text)
  local found = limits_cache[text]
  if found then
    return found[1], found[2], found[3], found[4]
  end
  local w, c, r, b = string.match(text, '^(%S+) (%S+) (%S+) (%S+)$')
  if not limits_cache.size or limits_cache.size > 200 then
    limits_cache = { size = 0 }
  end
  limits_cache.size = limits_cache.size + 1
  limits_cache[text] = { tonumber(w), tonumber(c), tonumber(r), tonumber(b) }
  return tonumber(w), tonumber(c), tonumber(r), tonumber(b)
end

function Limits.tokens(who)
  if not who.ts then
    return who.burst
  end
  return min(who.burst, who.tk + max(0, NOW - who.ts) * who.rate / 1000)
end

-- Why `who` may not start a job now: nil (it may), 'c' (all permits are out), 'r' (no token; until when).
function Limits.barred(who)
  if who.run >= who.concurrency then
    return 'c'
  end
  if who.rate > 0 then
    local tokens = Limits.tokens(who)
    if tokens < 1 - 1e-9 then
      return 'r', NOW + max(1, math.ceil((1 - tokens) * 1000 / who.rate))
    end
  end
  return nil
end

function Limits.take(who)
  who.run = who.run + 1
  if who.rate > 0 then
    who.tk = Limits.tokens(who) - 1
    who.ts = NOW
  end
end

-- How long an idle hash must stay so that its bucket cannot be refilled by forgetting it.
function Limits.memory_seconds(who)
  if who.rate > 0 then
    return max(IDLE_SECONDS, math.ceil(who.burst / who.rate))
  end
  return IDLE_SECONDS
end
