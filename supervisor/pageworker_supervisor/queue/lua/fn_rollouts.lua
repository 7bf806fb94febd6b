-- Rollout entries, on shard 0: which version of a module jobs get. And, on the shard of each job, how jobs of a running
-- rollout ended. supervisor/pageworker_supervisor/rollouts has the format of the entries; here they are opaque texts.
--
-- `rollouts` is a hash: `<revision> <id of the call> <entry as JSON>` by module, and the field `#serial`, which rises with
-- each change of any entry. `rollout_changes` has the serial of each module's last change, so that a worker reads what
-- has changed and not all entries: 100 workers would read all of them at each change. Its member `#since` has the serial
-- before which it is incomplete, because a worker of an older version writes entries alone.
-- `rollout_evidence:<module>` holds the state of the automatic decision about one rollout.
-- `rollout_counts:<module>` counts jobs of one rollout.
--
-- rollout_look      request: serial: that of the caller. This worker wants to know what has changed.
--   reply: head, entries. head.action: `take` (the entries are those that count), `restore` (Redis has lost data: the
--   caller's serial is higher), or ``; head.serial; head.whole: whether these are all entries, else only those that
--   have changed; head.names: the module of each entry
-- rollout_write     request: module, base: revision that the new entry is based on (0: none), id, entry, event (JSON)
--   Tells every worker. The same id again has the same reply. reply: the new revision; 0: the entry has another revision
--   than base; -1: there are too many entries
-- rollout_restore   request: serial, modules, entries (stored texts). Takes effect only above the stored serial. reply: 1, 0
-- rollout_counts    request: module, rollout. reply: counts: number by name, of this rollout on this shard
-- rollout_evidence  request: module, rollout. reply: head (number), the state ('' none)
-- rollout_decide    request: module, rollout, base: number of the state that this one is based on, id, state
--   Of several workers that decide at the same time, one does. reply: the new number; 0: there is a newer state

local SERIAL = '#serial'
local SINCE = '#since'
local MOST_ENTRIES = 10000
local COUNTS_MS = 30 * 86400000
local STORED = '^(%d+) (%w+) (.*)$'

local function stored_entry(module)
  local text = call('HGET', Key.rollouts(), module)
  local revision, id = string.match(text or '', STORED)
  return number(revision), id
end

local function tell_workers()
  for _, worker in ipairs(call('ZRANGE', Key.workers(), 0, -1)) do
    Wakeup.notify(worker, 'rollout')
  end
end

-- Whether `rollout_changes` has the change that led to this serial.
local function changes_reach(serial)
  local newest = call('ZRANGE', Key.rollout_changes(), 0, 0, 'REV', 'WITHSCORES')
  return whole(newest[2]) == serial
end

-- Names and entries, one after the other, that have changed after a serial; and whether these are all entries.
local function entries_after(serial, newest)
  local since = whole(call('ZSCORE', Key.rollout_changes(), SINCE))
  if serial == 0 or serial < since or not changes_reach(newest) then
    return call('HGETALL', Key.rollouts()), true
  end
  local flat = {}
  local after = string.format('(%.0f', serial)
  for _, module in ipairs(call('ZRANGE', Key.rollout_changes(), after, '+inf', 'BYSCORE')) do
    flat[#flat + 1] = module
    flat[#flat + 1] = call('HGET', Key.rollouts(), module) or ''
  end
  return flat, false
end

function Rollouts.look(request)
  local serial = whole(call('HGET', Key.rollouts(), SERIAL))
  local head = { action = '', serial = serial, whole = true, names = {} }
  local reply = { '' }
  if serial < request.serial then
    head.action = 'restore'
  elseif serial > request.serial then
    local flat
    head.action = 'take'
    flat, head.whole = entries_after(request.serial, serial)
    for at = 1, #flat, 2 do
      if flat[at] ~= SERIAL and is_utf8(flat[at]) then
        head.names[#head.names + 1] = flat[at]
        reply[#reply + 1] = flat[at + 1]
      end
    end
  end
  reply[1] = cmsgpack.pack(head)
  return reply
end

function Rollouts.write(request)
  local revision, id = stored_entry(request.module)
  if id == request.id then
    return revision
  end
  if revision ~= request.base then
    return 0
  end
  if revision == 0 and call('HLEN', Key.rollouts()) > MOST_ENTRIES then
    return -1
  end
  revision = revision + 1
  local text = string.format('%.0f', revision) .. ' ' .. request.id .. ' ' .. request.entry
  local before = whole(call('HGET', Key.rollouts(), SERIAL))
  if not changes_reach(before) then
    call('ZADD', Key.rollout_changes(), before, SINCE)
  end
  call('HSET', Key.rollouts(), request.module, text)
  call('ZADD', Key.rollout_changes(), call('HINCRBY', Key.rollouts(), SERIAL, 1), request.module)
  call('PUBLISH', PREFIX .. ':events:_fleet', request.event)
  tell_workers()
  return revision
end

function Rollouts.restore(request)
  if request.serial <= whole(call('HGET', Key.rollouts(), SERIAL)) then
    return 0
  end
  call('DEL', Key.rollouts(), Key.rollout_changes())
  call('HSET', Key.rollouts(), SERIAL, string.format('%.0f', request.serial))
  for i, module in ipairs(request.modules) do
    call('HSET', Key.rollouts(), module, request.entries[i])
  end
  tell_workers()
  return 1
end

-- A job of a rollout has ended. `observed`: module, rollout, started_ms: when that began, fields to count. A job of an
-- earlier rollout than the one that is counted says nothing any more.
function Rollouts.observe(observed)
  local key = Key.rollout_counts(observed.module)
  local f = call('HMGET', key, 'rollout', 'started_ms')
  if f[1] ~= observed.rollout then
    if number(f[2]) > observed.started_ms then
      return
    end
    call('DEL', key)
    call('HSET', key, 'rollout', observed.rollout, 'started_ms', string.format('%.0f', observed.started_ms))
  end
  for _, field in ipairs(observed.fields) do
    call('HINCRBY', key, field, 1)
  end
  call('PEXPIRE', key, COUNTS_MS)
end

function Rollouts.counts(request)
  local flat, counts = call('HGETALL', Key.rollout_counts(request.module)), {}
  for at = 1, #flat, 2 do
    counts[flat[at]] = flat[at + 1]
  end
  local same = counts.rollout == request.rollout
  counts.rollout, counts.started_ms = nil, nil
  for field, text in pairs(counts) do
    counts[field] = same and whole(text) or nil
  end
  -- An empty table would be packed as a list.
  return { cmsgpack.pack({ counts = next(counts) and counts or nil, found = same }) }
end

local function stored_evidence(request)
  local f = call('HMGET', Key.rollout_evidence(request.module), 'rollout', 'number', 'id', 'state')
  if f[1] ~= request.rollout then
    return 0, '', ''
  end
  return whole(f[2]), f[3] or '', f[4] or ''
end

function Rollouts.evidence(request)
  local found, _, state = stored_evidence(request)
  return { cmsgpack.pack({ number = found }), state }
end

function Rollouts.decide(request)
  local found, id = stored_evidence(request)
  if id == request.id and found > 0 then
    return found
  end
  if found ~= request.base then
    return 0
  end
  local key = Key.rollout_evidence(request.module)
  call('HSET', key, 'rollout', request.rollout, 'number', string.format('%.0f', found + 1), 'id', request.id,
    'state', request.state)
  call('PEXPIRE', key, COUNTS_MS)
  return found + 1
end
