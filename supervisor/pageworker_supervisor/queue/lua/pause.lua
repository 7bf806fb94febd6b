-- Pauses: an operator lets no further job of a tenant, a module or a domain start. Jobs that run go on; those that wait stay
-- where they are, and still expire. A pause acts like a limit that is used up, until its end or for ever: Limits.throttled
-- names it first, so everything parks, and comes back, as it does for limits.
--
-- `paused` holds one field per pause, `<kind><name>` with the kind `t`, `m`, `d` or `b` (of a tenant by its budget), and as its value a JSON object: id,
-- reason, by, since_ms, until_ms (absent: no end), tells (this shard publishes its events). A pause whose end has come is not
-- in force, whether or not its timer has run; one that cannot be read does not count. Each shard is told of the pauses of modules and domains, a tenant's own
-- shard of that of the tenant.
--
-- The field `paused` of `meta` is a digest of `paused`, absent without pauses. It is read with the schema version, at no
-- further command. Here the pauses are kept parsed until the digest changes. So a claim pays no command for them.
--
-- Used by: fn_check_consistency, fn_inspect, fn_pause, limits, module, shard, shared_quota, tenant, timer.

local PAUSES = 1000 -- per shard, beside those by budgets
local PAUSE_WORDS = { t = 'tenant', m = 'module', d = 'domain', b = 'budget' }

local pauses_of = {} -- by root of the shard
local pauses -- of this shard: digest, by (pause by field), counts (by kind); nil: none

-- The pause of a field. nil if it cannot be read: every function of the shard comes by here, so none may fail because of
-- what a later release, or an operator by hand, has written.
local function parsed(field, text)
  local kind = string.sub(field, 1, 1)
  local read, pause = pcall(cjson.decode, text)
  if not PAUSE_WORDS[kind] or not read or type(pause) ~= 'table' then
    return nil
  end
  for name, wanted in pairs({ id = 'string', reason = 'string', by = 'string', since_ms = 'number' }) do
    if type(pause[name]) ~= wanted then
      return nil
    end
  end
  if pause.until_ms ~= nil and type(pause.until_ms) ~= 'number' then
    return nil
  end
  pause.kind, pause.name = kind, string.sub(field, 2)
  return pause
end

local function load_pauses(digest)
  local loaded = { digest = digest, by = {}, counts = { t = 0, m = 0, d = 0, b = 0 } }
  local rows = call('HGETALL', Key.paused())
  for at = 1, #rows, 2 do
    local pause = parsed(rows[at], rows[at + 1])
    if pause then
      loaded.by[rows[at]] = pause
      loaded.counts[pause.kind] = loaded.counts[pause.kind] + 1
    end
  end
  pauses_of[P] = loaded
  return loaded
end

-- Use the pauses with this digest; nil: there are none.
function Pause.use(digest)
  pauses = digest and pauses_of[P]
  if digest and (not pauses or pauses.digest ~= digest) then
    pauses = load_pauses(digest)
  end
end

local function is_in_force(pause)
  return not pause.until_ms or pause.until_ms > NOW
end

-- The pause that is in force, nil if there is none. `kind`: `t`, `m`, `d` or `b`. The pause of a host holds for each key of it.
function Pause.of(kind, name)
  local pause = pauses and pauses.by[kind .. (kind == 'd' and host_of(name) or name)]
  return pause and is_in_force(pause) and pause or nil
end

-- True if any module is paused, or was so until a moment ago.
function Pause.has_modules()
  return pauses ~= nil and pauses.counts.m > 0
end

-- What people read of a job that waits for the end of this pause.
function Pause.text(pause)
  return 'paused: ' .. PAUSE_WORDS[pause.kind == 'b' and 't' or pause.kind] .. ' ' .. pause.name .. ': ' .. pause.reason
end

-- Those in force, in no order.
function Pause.all()
  local found = {}
  for _, pause in pairs(pauses and pauses.by or {}) do
    if is_in_force(pause) then
      found[#found + 1] = pause
    end
  end
  return found
end

-- How many are in force, by kind.
function Pause.counts()
  local counts = { tenant = 0, module = 0, domain = 0, budget = 0 }
  for _, pause in ipairs(Pause.all()) do
    local word = PAUSE_WORDS[pause.kind]
    counts[word] = counts[word] + 1
  end
  return counts
end

-- `paused` has changed: its digest, and what is kept parsed here.
local function renew()
  local rows, fields = call('HGETALL', Key.paused()), {}
  for at = 1, #rows, 2 do
    fields[#fields + 1] = rows[at] .. ' ' .. rows[at + 1]
  end
  if #fields == 0 then
    call('HDEL', Key.meta(), 'paused')
    pauses, pauses_of[P] = nil, nil
    return
  end
  table.sort(fields)
  local digest = redis.sha1hex(table.concat(fields, '\n'))
  call('HSET', Key.meta(), 'paused', digest)
  pauses = load_pauses(digest)
end

-- Publish an event: of a tenant on its channel, of a module or domain on the fleet's. One worker is told too, for its log.
local function tell(word, pause, by)
  if not pause.tells then
    return
  end
  local event = { event = word, at = rfc3339(NOW), detail = {
    kind = PAUSE_WORDS[pause.kind], name = pause.name, reason = pause.reason, by = by,
    ['until'] = word == 'paused' and pause.until_ms and rfc3339(pause.until_ms) or nil,
  } }
  event.tenant_id = (pause.kind == 't' or pause.kind == 'b') and pause.name or nil
  local text = cjson.encode(event)
  Subscriptions.publish(event.tenant_id or '_fleet', text)
  local latest = call('ZRANGE', Key.workers(), 0, 0, 'REV')[1]
  if latest then
    Wakeup.notify(latest, 'pause ' .. text)
  end
end

-- Look again at what may have waited for this pause, or waits for it from now on.
local function reschedule(kind, name)
  if kind == 't' or kind == 'b' then
    Tenant.reschedule(name)
    return
  end
  local word, waits = kind == 'd' and host_of or tostring, false
  for _, each in ipairs(call('ZRANGE', Key.waited_for(), 0, -1)) do
    if string.sub(each, 1, 1) == kind and word(string.sub(each, 2)) == name then
      call('ZADD', Key.timers(), 'LT', NOW, each) -- a claim handles a slice of them
      waits = true
    end
  end
  if waits then
    Wakeup.slots()
  end
end

-- False if there are too many. `pause`: id, reason, by, since_ms, until_ms, tells.
function Pause.set(kind, name, pause)
  local field = kind .. name
  local known = pauses and pauses.by[field]
  local again = known and known.id == pause.id
  local counts = pauses and pauses.counts
  if kind ~= 'b' and not known and call('HLEN', Key.paused()) - (counts and counts.b or 0) >= PAUSES then
    return false
  end
  if not again then
    call('HSET', Key.paused(), field, cjson.encode(pause))
    renew()
  end
  local set = pauses.by[field]
  if set.until_ms then
    Timer.add(field, set.until_ms)
  end
  reschedule(kind, name)
  if not again then
    tell('paused', set, set.by)
  end
  return true
end

-- When it ends, in milliseconds; 0: never.
function Pause.until_ms(kind, name)
  return pauses.by[kind .. name].until_ms or 0
end

-- False if there is none. `by`: who ends it.
function Pause.remove(kind, name, by)
  local pause = pauses and pauses.by[kind .. name]
  if not pause then
    return false
  end
  call('HDEL', Key.paused(), kind .. name)
  renew()
  reschedule(kind, name)
  tell('unpaused', pause, by)
  return true
end

-- A timer of this name is due: end its pause if that is over. Returns when the timer must run again, nil: it need not.
function Pause.expire(kind, name)
  local pause = pauses and pauses.by[kind .. name]
  if not pause or not pause.until_ms then
    return nil
  end
  if is_in_force(pause) then
    return pause.until_ms
  end
  Pause.remove(kind, name, 'its end')
  return nil
end
