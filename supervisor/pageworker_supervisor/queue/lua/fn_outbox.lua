-- The outbox: promises to deliver a result, or the completion of a batch, in the order in which they are due. A taken entry is hidden for a while, so the
-- death of its taker loses nothing.
--
-- outbox_take
--   request: nonce, limit
--   reply: a map, then the result of each entry
--     entries: list of name (`batch:<ref>#<round>` of a batch), ref, callback_url, tries, age_ms, put_result (the key of the
--       result is still to be written), trace (traceparent of the producer, absent if it gave none), subscription (its id;
--       absent for a callback)
--     next_due_ms: absent if there is no other entry. Ages are told, as the taker's clock may be wrong by minutes.
-- outbox_done    request: names, facts. Delivered, whichever worker holds the entry by now. `facts`: JSON of each, for the
--   job's history (optional, as in the next two)
-- outbox_later   request: name, nonce, delay_ms, facts, failed (true: the receiver was tried). One more try was made.
-- outbox_failed  request: name, nonce, tenant, event, facts, gone (true: the receiver of a subscription wants no more). Given
--   up; the result stays readable.
-- outbox_put     request: name, ref, sha1: of the text that the result's key was written with (Redis Cluster)
--   reply: '' if that is the job's result; an entry without a callback ends with it. Else the job's result, which is
--   another one by now: it is to be written, and this to be called again. Each writer looks afterwards, so the newest stays.

local TAKE_MS = 60000 -- replaced at load: QueueOptions.outbox_lease_ms
local TRIES_IN_HISTORY = 20

-- The first tries of a callback are in the job's history, and its end. A batch has no history.
local function note_callback(name, code, facts)
  local f = facts and string.sub(name, 1, 6) ~= 'batch:' and call('HMGET', Key.outbox_entry(name), 'job', 'tries')
  if f and f[1] and (code ~= CALLBACK_CODE.later or number(f[2]) < TRIES_IN_HISTORY) then
    History.add_callback(f[1], code, facts)
  end
end

local function drop_entry(name)
  Subscriptions.release(name)
  call('DEL', Key.outbox_entry(name))
  call('ZREM', Key.outbox(), name)
end

local function outbox_take(request)
  local entries, reply = {}, { '' }
  for _, name in ipairs(call('ZRANGEBYSCORE', Key.outbox(), '-inf', NOW, 'LIMIT', 0, request.limit)) do
    local key = Key.outbox_entry(name)
    local f = call('HMGET', key, 'job', 'callback_url', 'result', 'tries', 'created_at', 'put_result', 'trace')
    local tenant, subscription = Subscriptions.of_entry(name)
    if tenant and not Subscriptions.is_active(tenant, subscription) then
      drop_entry(name)
    elseif f[1] then
      call('HSET', key, 'token', request.nonce)
      call('ZADD', Key.outbox(), NOW + TAKE_MS, name)
      entries[#entries + 1] = {
        name = name,
        ref = f[1],
        callback_url = f[2] ~= '' and f[2] or nil,
        tries = tonumber(f[4]),
        age_ms = NOW - tonumber(f[5]),
        put_result = f[6] == '1',
        trace = f[7] and f[7] ~= '' and f[7] or nil,
        subscription = subscription,
      }
      reply[#reply + 1] = f[3]
    else
      call('ZREM', Key.outbox(), name)
    end
  end
  local head = call('ZRANGE', Key.outbox(), 0, 0, 'WITHSCORES')
  reply[1] = cmsgpack.pack({ entries = entries, next_due_ms = head[2] and max(0, tonumber(head[2]) - NOW) or nil })
  return reply
end

local function outbox_done(request)
  for i, name in ipairs(request.names) do
    note_callback(name, CALLBACK_CODE.delivered, request.facts and request.facts[i])
    Subscriptions.delivered(name)
    drop_entry(name)
  end
  return #request.names
end

local function outbox_later(request)
  local key = Key.outbox_entry(request.name)
  if call('HGET', key, 'token') ~= request.nonce then
    return 0
  end
  note_callback(request.name, CALLBACK_CODE.later, request.facts)
  if request.failed then
    Subscriptions.failed(request.name)
  end
  call('HDEL', key, 'token')
  call('HINCRBY', key, 'tries', 1)
  call('ZADD', Key.outbox(), 'XX', NOW + request.delay_ms, request.name)
  return 1
end

local function outbox_failed(request)
  if call('HGET', Key.outbox_entry(request.name), 'token') ~= request.nonce then
    return 0
  end
  note_callback(request.name, CALLBACK_CODE.failed, request.facts)
  drop_entry(request.name)
  local tenant, subscription = Subscriptions.of_entry(request.name)
  if not tenant then
    Subscriptions.publish(request.tenant, request.event)
    return 1
  end
  call('PUBLISH', PREFIX .. ':events:' .. tenant, request.event) -- not to subscriptions, or each failure would cause another
  if request.gone then
    Subscriptions.remove(tenant, subscription, 'its receiver answered 410')
  else
    Subscriptions.failed(request.name)
  end
  return 1
end

local function outbox_put(request)
  local kept = call('GET', Key.kept(request.ref))
  if kept and redis.sha1hex(kept) ~= request.sha1 then
    return kept
  end
  local url = call('HGET', Key.outbox_entry(request.name), 'callback_url')
  if url == '' then
    drop_entry(request.name)
  elseif url then
    call('HSET', Key.outbox_entry(request.name), 'put_result', 0)
  end
  return ''
end
