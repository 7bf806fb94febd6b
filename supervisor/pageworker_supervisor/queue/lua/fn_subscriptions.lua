-- Add, end and list the subscriptions of a tenant (see subscription.lua).
--
-- subscription_add
--   request: id, tenant, url, events, modules (both sorted, with a space between two)
--   reply: MessagePack map: word, subscription (its fields). `stored` (also when the same call came before); `known`: the tenant
--     has one with this url, events and modules, which is enabled again if it was disabled; `full`: it has MOST others
-- subscription_remove
--   request: tenant, id. reply: 1, or 0: there is none
-- subscription_list
--   request: tenant. reply: MessagePack list with the fields of each, the oldest first

local MOST = 10
local FIELDS = {
  'url', 'events', 'modules', 'created_at', 'disabled_at', 'reason', 'failing_since', 'delivered_at', 'waiting', 'dropped',
}

local function read(tenant, id)
  local values = call('HMGET', Key.subscription(tenant, id), unpack(FIELDS))
  if not values[1] then
    return nil
  end
  local found = { id = id }
  for n, name in ipairs(FIELDS) do
    found[name] = readable(values[n])
  end
  return found
end

local function reply(word, found)
  return { cmsgpack.pack({ word = word, subscription = found }) }
end

function Subscriptions.add(request)
  local tenant, count = request.tenant, 0
  for _, id in ipairs(call('ZRANGE', Key.subscriptions_of(tenant), 0, -1)) do
    local found = read(tenant, id)
    if not found then
      call('ZREM', Key.subscriptions_of(tenant), id)
    elseif id == request.id then
      return reply('stored', found)
    elseif found.url == request.url and found.events == request.events and found.modules == request.modules then
      if found.disabled_at ~= '' then
        call('HDEL', Key.subscription(tenant, id), 'disabled_at', 'reason', 'failing_since')
        Subscriptions.changed()
      end
      return reply('known', read(tenant, id))
    else
      count = count + 1
    end
  end
  if count >= MOST then
    return reply('full')
  end
  call(
    'HSET', Key.subscription(tenant, request.id),
    'url', request.url, 'events', request.events, 'modules', request.modules, 'created_at', NOW_TEXT
  )
  call('ZADD', Key.subscriptions_of(tenant), Shard.stamp(), request.id)
  Subscriptions.changed()
  return reply('stored', read(tenant, request.id))
end

function Subscriptions.end_one(request)
  return Subscriptions.remove(request.tenant, request.id)
end

function Subscriptions.list(request)
  local found = {}
  for _, id in ipairs(call('ZRANGE', Key.subscriptions_of(request.tenant), 0, -1)) do
    found[#found + 1] = read(request.tenant, id)
  end
  return { cmsgpack.pack(found) }
end
