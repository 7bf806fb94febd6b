-- What workers report of themselves, and stored drains. On shard 0 alone.
--
-- `worker_reports` holds the newest report of each worker as JSON (contract/worker_report.py). `drains` holds the stored
-- drains: `*` for all workers, `worker:<setting worker.id>`, `tag:<tag>`. A worker takes its drain with each report, so one
-- that starts while its drain is stored takes no jobs. Anyone with the right to write may edit both by hand: what cannot
-- be read counts as not there.
-- The stored drain of one worker notes when such a worker last reported (`seen_ms`, at most an hour old). One whose worker
-- is gone for 30 days is removed by `reap`: workers with names of their own, such as pods, would fill the hash.
--
-- report_worker    request: worker, worker_id, tags, report (JSON without `reported_at`)
--   reply: now_ms, drain (absent: none): the one with the earliest deadline of those that are for this worker
-- withdraw_report  request: worker. It leaves.
-- list_workers     request: position ('' from the beginning), limit
--   reply: head, then the reports (JSON, or '' of a worker that has not reported). head: now_ms; position to go on with
--   ('' there is no more); names and heard_ms of the workers, silent ones first; drains (on the first page): the stored drains
-- store_drain      request: name, id, deadline_in_ms (absent: that of the stored drain of this name, if there is one),
--   else_in_ms, who, reason, cancel
--   reply: state (`stored`, `kept`: there was one already, `unknown`: for no worker that has reported, `full`), now_ms,
--   drain, workers: for whom it is
-- lift_drain       request: name. reply: lifted (whether there was one), now_ms, workers: for whom it was

local MOST_DRAINS = 1000
local EVERY_WORKER = '*'

local Reports = {}
local Drains = { NOTED_EACH_MS = 3600000, KEPT_WITHOUT_WORKER_MS = 30 * 86400000 }

-- A stored drain, nil if the text is none.
function Drains.parse(name, text)
  local read, found = pcall(cjson.decode, text)
  if not read or type(found) ~= 'table' then
    return nil
  end
  for field, kind in pairs({
    id = 'string', since_ms = 'number', deadline_ms = 'number', who = 'string', reason = 'string', cancel = 'boolean',
  }) do
    if type(found[field]) ~= kind then
      return nil
    end
  end
  return {
    name = name, id = readable(found.id), since_ms = whole(found.since_ms), deadline_ms = whole(found.deadline_ms),
    who = readable(found.who), reason = readable(found.reason), cancel = found.cancel,
    seen_ms = type(found.seen_ms) == 'number' and found.seen_ms or found.since_ms, -- an earlier version notes none
  }
end

function Drains.stored(name)
  local text = call('HGET', Key.drains(), name)
  return text and Drains.parse(name, text) or nil
end

-- A worker of this drain reports. It is noted at most once per hour, and where the clock was set back.
function Drains.note_seen(found, text)
  if math.abs(NOW - found.seen_ms) > Drains.NOTED_EACH_MS then
    local stored = cjson.decode(text)
    stored.seen_ms = NOW
    call('HSET', Key.drains(), found.name, cjson.encode(stored))
  end
end

-- Of the drains that are for this worker, the one with the earliest deadline.
function Drains.of_worker(worker_id, tags)
  local own = 'worker:' .. worker_id
  local names, chosen = { EVERY_WORKER, own }, nil
  for _, tag in ipairs(tags) do
    names[#names + 1] = 'tag:' .. tag
  end
  for i, text in ipairs(call('HMGET', Key.drains(), unpack(names))) do
    local found = text and Drains.parse(names[i], text)
    if found and names[i] == own then
      Drains.note_seen(found, text)
    end
    if found and (not chosen or found.deadline_ms < chosen.deadline_ms) then
      chosen = found
    end
  end
  return chosen
end

-- Whether a report is of a worker that a drain of this name is for.
function Drains.is_for(name, report)
  if name == EVERY_WORKER then
    return true
  end
  local read, found = pcall(cjson.decode, report)
  if not read or type(found) ~= 'table' then
    return false
  end
  if name == 'worker:' .. tostring(found.worker_id) then
    return true
  end
  for _, tag in ipairs(type(found.tags) == 'table' and found.tags or {}) do
    if name == 'tag:' .. tostring(tag) then
      return true
    end
  end
  return false
end

function Drains.workers(name)
  local workers, flat = {}, call('HGETALL', Key.worker_reports())
  for at = 1, #flat, 2 do
    if is_utf8(flat[at]) and Drains.is_for(name, flat[at + 1]) then
      workers[#workers + 1] = flat[at]
    end
  end
  return workers
end

-- Remove the drains of single workers that are gone for long. A worker of an earlier version reports, and notes nothing.
function Shard.forget_drains_of_gone_workers()
  if call('HLEN', Key.drains()) == 0 then
    return
  end
  local flat = call('HGETALL', Key.drains())
  for at = 1, #flat, 2 do
    local found = string.sub(flat[at], 1, 7) == 'worker:' and Drains.parse(flat[at], flat[at + 1])
    if found and NOW - found.seen_ms > Drains.KEPT_WITHOUT_WORKER_MS and #Drains.workers(found.name) == 0 then
      call('HDEL', Key.drains(), found.name)
    end
  end
end

-- Have these workers report at once, so that they see the change.
function Drains.tell(workers)
  for _, worker in ipairs(workers) do
    Wakeup.notify(worker, 'report')
  end
end

function Reports.put(request)
  -- In the same step as the report: `Shard.forget_silent_workers` finds by it what is to be removed.
  call('ZADD', Key.workers(), NOW, request.worker)
  local report = string.sub(request.report, 1, -2) .. string.format(',"reported_at":%.3f}', NOW / 1000)
  call('HSET', Key.worker_reports(), request.worker, report)
  return { cmsgpack.pack({ now_ms = NOW, drain = Drains.of_worker(request.worker_id, request.tags) }) }
end

function Reports.withdraw(request)
  return call('HDEL', Key.worker_reports(), request.worker)
end

-- Silent workers first. A worker that is heard of meanwhile moves to the end: it may be listed twice, but is not left out.
-- A position is `<score>|<how many with this score were listed>`.
function Reports.page(position, limit)
  local from, skipped = string.match(position, '^([^|]*)|(%d+)$')
  local rows = call('ZRANGEBYSCORE', Key.workers(), from or '-inf', '+inf', 'WITHSCORES', 'LIMIT', skipped or 0, limit)
  if #rows < 2 * limit then
    return rows, ''
  end
  local last, same = rows[#rows], 0
  for at = 2, #rows, 2 do
    same = same + (rows[at] == last and 1 or 0)
  end
  return rows, last .. '|' .. (same + (last == from and skipped or 0))
end

function Reports.list(request)
  local rows, following = Reports.page(request.position, request.limit)
  local head = { now_ms = NOW, position = following, names = {}, heard_ms = {}, drains = {} }
  local reply = { '' }
  for at = 1, #rows, 2 do
    if is_utf8(rows[at]) then
      table.insert(head.names, rows[at])
      table.insert(head.heard_ms, whole(rows[at + 1]))
      table.insert(reply, call('HGET', Key.worker_reports(), rows[at]) or '')
    end
  end
  if request.position == '' then
    local flat = call('HGETALL', Key.drains())
    for at = 1, #flat, 2 do
      local found = is_utf8(flat[at]) and Drains.parse(flat[at], flat[at + 1])
      if found then
        table.insert(head.drains, found)
      end
    end
  end
  reply[1] = cmsgpack.pack(head)
  return reply
end

function Drains.store(request)
  local stored, workers = Drains.stored(request.name), Drains.workers(request.name)
  local reply = { state = 'kept', now_ms = NOW, drain = stored, workers = workers }
  if stored and stored.id == request.id then -- the same call again
    reply.state = 'stored'
    return { cmsgpack.pack(reply) }
  end
  if stored and not request.deadline_in_ms then
    return { cmsgpack.pack(reply) }
  end
  if #workers == 0 and request.name ~= EVERY_WORKER then
    reply.state = 'unknown'
    return { cmsgpack.pack(reply) }
  end
  if not stored and call('HLEN', Key.drains()) >= MOST_DRAINS then
    reply.state = 'full'
    return { cmsgpack.pack(reply) }
  end
  local drain = {
    id = request.id, since_ms = stored and stored.since_ms or NOW,
    deadline_ms = NOW + (request.deadline_in_ms or request.else_in_ms),
    who = request.who, reason = request.reason, cancel = request.cancel,
  }
  call('HSET', Key.drains(), request.name, cjson.encode(drain))
  Drains.tell(workers)
  drain.name = request.name
  reply.state, reply.drain = 'stored', drain
  return { cmsgpack.pack(reply) }
end

function Drains.lift(request)
  local workers = Drains.workers(request.name)
  local lifted = call('HDEL', Key.drains(), request.name) == 1
  Drains.tell(workers)
  return { cmsgpack.pack({ lifted = lifted, now_ms = NOW, workers = workers }) }
end
