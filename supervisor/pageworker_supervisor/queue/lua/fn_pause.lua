-- Pauses of tenants, modules and domains (see pause.lua).
--
-- pause
--   request: kind (t, m, d), name, id, reason, by, tells: true on one shard
--     for_ms (optional; else the pause has no end)
--     keep (optional): true: a pause that is in force stays as it is
--   The same id again changes nothing. Another id replaces the pause.
--   reply: when it ends, in milliseconds since the epoch; 0: never; -1: too many pauses are in force
-- unpause
--   request: kind, name, id, by
--   reply: 1; 0 if it was not paused. The same id again has the same reply.
-- list_pauses
--   reply: pauses: list of kind, name, reason, by, since_ms, until_ms (absent: no end)

local function pause(request)
  if request.keep and Pause.of(request.kind, request.name) then
    return Pause.until_ms(request.kind, request.name)
  end
  local set = {
    id = request.id, reason = request.reason, by = request.by, since_ms = NOW, tells = request.tells or nil,
    until_ms = request.for_ms and NOW + request.for_ms or nil,
  }
  if not Pause.set(request.kind, request.name, set) then
    return -1
  end
  Wakeup.flush()
  return Pause.until_ms(request.kind, request.name)
end

local function unpause(request)
  if call('HGET', Key.meta(), 'unpaused') == request.id then
    return 1
  end
  if not Pause.remove(request.kind, request.name, request.by) then
    return 0
  end
  call('HSET', Key.meta(), 'unpaused', request.id)
  Wakeup.flush()
  return 1
end

local function list_pauses()
  local found = {}
  for i, each in ipairs(Pause.all()) do
    found[i] = {
      kind = each.kind, name = each.name, reason = each.reason, by = each.by, since_ms = each.since_ms,
      until_ms = each.until_ms,
    }
  end
  return { cmsgpack.pack({ pauses = found }) }
end
