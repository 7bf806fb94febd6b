-- Subscriptions of tenants: the results and events that are POSTed to a URL of theirs. Each promise is an outbox entry, made
-- in the function that stores the result or publishes the event. Its name is `<name>~<tenant>/<id of the subscription>`.
--
-- `subscription:<tenant>/<id>` has the fields below, `subscriptions_of:<tenant>` the ids in their order. `events` and
-- `modules` are texts with a space between two words; `modules` has globs, '' for all.
--
-- The field `subscriptions` of `meta` changes with every change of a subscription on this shard. It is read with the schema
-- version, at no further command. What a tenant has is kept here until it changes. So a tenant without subscriptions costs nothing.
--
-- Used by: every file that publishes an event of a tenant; fn_finish, fn_outbox, fn_subscriptions, shard.

local MOST_WAITING = 10000 -- entries of one subscription; above it, events are dropped and counted
local MOST_WAITING_BYTES = 16 * 1024 * 1024
local DISABLE_MS = 3 * 24 * 3600 * 1000 -- a subscription whose tries all fail for this time is disabled
local KNOWN_TENANTS = 65536

local NONE = {}
local known = {} -- by root of the shard
local version -- nil: this shard has never had a subscription

-- The subscriptions of this shard are those of this version; nil: there are none.
function Subscriptions.use(text)
  version = text
end

-- The subscriptions of this shard have changed.
function Subscriptions.changed()
  version = string.format('%.0f-%d', MICROS, Shard.stamp())
  call('HSET', Key.meta(), 'subscriptions', version)
end

local function words(text)
  local found = {}
  for word in string.gmatch(text or '', '%S+') do
    found[#found + 1] = word
  end
  return found
end

local function load_active(tenant)
  local found = {}
  for _, id in ipairs(call('ZRANGE', Key.subscriptions_of(tenant), 0, -1)) do
    local f = call('HMGET', Key.subscription(tenant, id), 'url', 'events', 'modules', 'disabled_at')
    if f[1] and not f[4] then
      local each = { id = id, url = f[1], events = {}, modules = words(f[3]) }
      for _, event in ipairs(words(f[2])) do
        each.events[event] = true
      end
      for n, glob in ipairs(each.modules) do
        each.modules[n] = pattern_of(glob)
      end
      found[#found + 1] = each
    end
  end
  return #found > 0 and found or NONE
end

local function active_of(tenant)
  if not version then
    return NONE
  end
  local here = known[P]
  if not here or here.version ~= version or here.count >= KNOWN_TENANTS then
    here = { version = version, tenants = {}, count = 0 }
    known[P] = here
  end
  local found = here.tenants[tenant]
  if not found then
    found = load_active(tenant)
    here.tenants[tenant], here.count = found, here.count + 1
  end
  return found
end

local function covers(subscription, module)
  for _, pattern in ipairs(subscription.modules) do
    if string.find(module, pattern) then
      return true
    end
  end
  return #subscription.modules == 0
end

-- The bare name of a result's module; '' if it names none.
local function module_of(result)
  local read, found = pcall(cjson.decode, result)
  local name = read and type(found) == 'table' and found.endpoint_module
  return type(name) == 'string' and string.match(name, '^[^@]*') or ''
end

local function body_of(event, data)
  return '{"type":"' .. event .. '","timestamp":"' .. rfc3339(NOW) .. '","data":' .. data .. '}'
end

-- Returns true if there is an entry now.
local function promise(subscription, tenant, name, id, text, trace)
  local key = Key.subscription(tenant, subscription.id)
  local f = call('HMGET', key, 'waiting', 'waiting_bytes')
  if whole(f[1]) >= MOST_WAITING or whole(f[2]) + #text > MOST_WAITING_BYTES then
    call('HINCRBY', key, 'dropped', 1)
    return false
  end
  call('HINCRBY', key, 'waiting', 1)
  call('HINCRBY', key, 'waiting_bytes', #text)
  Outbox.add(name .. '~' .. tenant .. '/' .. subscription.id, id, subscription.url, text, false, trace)
  return true
end

-- The result of a job is stored. `name`: of its own outbox entry. `module`: bare; nil: as the result names it. Returns true
-- if it was promised to a subscription.
function Subscriptions.promise_result(name, id, tenant, status, result, module, trace)
  local promised, event, text = false, 'job.' .. status, nil
  for _, each in ipairs(active_of(tenant)) do
    local wanted = each.events[event] or each.events['job.*']
    if wanted and (#each.modules == 0 or covers(each, module or module_of(result))) then
      text = text or body_of(event, result)
      promised = promise(each, tenant, name, id, text, trace) or promised
    end
  end
  return promised
end

-- Publish an event (JSON) of a tenant on its channel, and promise it to its subscriptions. Returns true if it was promised.
function Subscriptions.publish(tenant, text)
  call('PUBLISH', PREFIX .. ':events:' .. tenant, text)
  local active = active_of(tenant)
  if active == NONE then
    return false
  end
  local read, found = pcall(cjson.decode, text)
  if not read or type(found) ~= 'table' or type(found.event) ~= 'string' then
    return false
  end
  local promised, event, name = false, 'event.' .. found.event, nil
  local id = tenant .. '/' .. (type(found.job_id) == 'string' and found.job_id or '')
  for _, each in ipairs(active) do
    if each.events[event] then
      name = name or string.format('e%.0f-%d', MICROS, Shard.stamp())
      promised = promise(each, tenant, name, id, body_of(event, text)) or promised
    end
  end
  return promised
end

-- Tenant and id of the subscription that an outbox entry is of; nil: it is a callback.
function Subscriptions.of_entry(name)
  return string.match(name, '~([^/]*)/(.*)$')
end

-- True if the subscription gets events: it is not removed, and not disabled.
function Subscriptions.is_active(tenant, id)
  for _, each in ipairs(active_of(tenant)) do
    if each.id == id then
      return true
    end
  end
  return false
end

-- The entry goes now.
function Subscriptions.release(name)
  local tenant, id = Subscriptions.of_entry(name)
  local result = tenant and call('HGET', Key.outbox_entry(name), 'result')
  if result and call('EXISTS', Key.subscription(tenant, id)) == 1 then
    call('HINCRBY', Key.subscription(tenant, id), 'waiting', -1)
    call('HINCRBY', Key.subscription(tenant, id), 'waiting_bytes', -#result)
  end
end

-- The receiver has an event.
function Subscriptions.delivered(name)
  local tenant, id = Subscriptions.of_entry(name)
  if tenant and Subscriptions.is_active(tenant, id) then
    call('HSET', Key.subscription(tenant, id), 'delivered_at', NOW_TEXT)
    call('HDEL', Key.subscription(tenant, id), 'failing_since')
  end
end

local function tell(word, tenant, id, reason)
  local detail = { subscription_id = id, reason = reason }
  local event = { event = word, tenant_id = tenant, at = rfc3339(NOW), detail = detail }
  call('PUBLISH', PREFIX .. ':events:' .. tenant, cjson.encode(event))
end

-- The receiver was tried in vain.
function Subscriptions.failed(name)
  local tenant, id = Subscriptions.of_entry(name)
  if not tenant or not Subscriptions.is_active(tenant, id) then
    return
  end
  local key = Key.subscription(tenant, id)
  local since = call('HGET', key, 'failing_since')
  if not since then
    call('HSET', key, 'failing_since', NOW_TEXT)
  end
  if not since or NOW - whole(since) < DISABLE_MS then
    return
  end
  local reason = string.format('no delivery has succeeded for %d days', DISABLE_MS / (24 * 3600 * 1000))
  call('HSET', key, 'disabled_at', NOW_TEXT, 'reason', reason)
  Subscriptions.changed()
  tell('subscription_disabled', tenant, id, reason)
end

-- End a subscription. Its entries go when they are due. Returns 0 if the tenant has no such one. `reason`: its tenant is told.
function Subscriptions.remove(tenant, id, reason)
  local removed = call('DEL', Key.subscription(tenant, id))
  call('ZREM', Key.subscriptions_of(tenant), id)
  if removed == 1 then
    Subscriptions.changed()
    if reason then
      tell('subscription_removed', tenant, id, reason)
    end
  end
  return removed
end
