-- Batches, as their owners and operators see them. Every function may be called twice.
--
-- batch_open
--   request: tenant, batch (its id), digest (of what it is opened with), size ('': closed by a call), complete_on,
--     callback_url ('': none), deadline_ms, keep_ms (how long it is kept after its completion)
--   reply: `opened`, `same` (it was opened before, with the same digest), `exists` (with another one), `full` (its tenant has
--     as many batches as are kept)
-- batch_show   request: ref. Reply: known; batch: see `view` below (absent: not known)
-- batch_list
--   request: tenant ('' any), position ('' from the beginning), limit
--   reply: position to go on with ('' there is no more), batches
-- batch_jobs   The jobs of a batch in the order in which they came.
--   request: ref, after (number of a job, 0: from the beginning), limit
--   reply: after (to go on with; absent: there is no more), jobs: list of id, running, status (absent: it has not ended)
-- batch_close
--   request: ref, reopened: true: only if a retry has opened it (optional)
--   reply: `closed`, `completed` (it is complete with that), `unknown`
-- batch_cancel  No further job is added, and a slice of its jobs that have not ended is cancelled.
--   request: ref
--   reply: known, count, more: whether it is to be called again; completed: whether it was completed with that
-- batch_letters  The dead letters of its jobs, as far as they are kept.
--   request: ref, after, limit: how many jobs to look at
--   reply: a map: after (0: there is no more), then the entries of the stream
-- batch_retry  A complete batch is open for a further round. batch_close follows when its failed jobs are queued.
--   request: ref
--   reply: `reopened` (also when that was done before), `runs` (it is not complete), `unknown`
-- apply_batch_event  For tests only. Request: ref, event. Reply: the state that follows.

local MOST_BATCHES = 10000 -- of one tenant

local function view(ref, batch)
  local tenant, own_id = Batch.parts(ref)
  local function instant(text)
    return text and tonumber(text) or nil
  end
  return {
    batch_id = own_id, tenant_id = tenant, state = batch.state, size = tonumber(batch.size), job_count = number(batch.added),
    complete_on = batch.complete_on, called_back = batch.callback_url ~= '', round = number(batch.round),
    created_at = instant(batch.created_at), deadline_at = instant(batch.deadline_at),
    completed_at = instant(batch.completed_at), reason = batch.reason or nil, counts = Batch.counts(ref, batch),
  }
end

function Batch.open(request)
  local tenant = request.tenant
  local ref = tenant .. '/' .. request.batch
  local known = Batch.read(ref)
  if known then
    return known.digest == request.digest and 'same' or 'exists'
  end
  -- '0' is the byte after '/'.
  if call('ZLEXCOUNT', Key.batches(), '[' .. tenant .. '/', '(' .. tenant .. '0') >= MOST_BATCHES then
    return 'full'
  end
  call('DEL', Key.batch_jobs(ref), Key.batch_ends(ref), Key.batch_running(ref))
  local batch = { state = Batch.State.NEW, deadline_at = string.format('%.0f', NOW + request.deadline_ms) }
  Batch.transition(
    ref, batch, Batch.Event.OPEN,
    'size', request.size, 'complete_on', request.complete_on, 'callback_url', request.callback_url,
    'digest', request.digest, 'created_at', NOW_TEXT, 'deadline_ms', request.deadline_ms,
    'deadline_at', batch.deadline_at, 'keep_ms', request.keep_ms, 'round', 1, 'added', 0
  )
  call('ZADD', Key.batches(), 0, ref)
  Batch.schedule(ref, batch)
  return 'opened'
end

function Batch.show(request)
  local batch = Batch.read(request.ref)
  return { cmsgpack.pack({ known = batch ~= nil, batch = batch and view(request.ref, batch) }) }
end

function Batch.list(request)
  local tenant, found = request.tenant, {}
  local from, to = tenant == '' and '-' or '[' .. tenant .. '/', tenant == '' and '+' or '(' .. tenant .. '0'
  if request.position ~= '' then
    from = '(' .. request.position
  end
  local refs = call('ZRANGE', Key.batches(), from, to, 'BYLEX', 'LIMIT', 0, request.limit)
  for _, ref in ipairs(refs) do
    local batch = Batch.read(ref)
    if batch then
      found[#found + 1] = view(ref, batch)
    end
  end
  return { cmsgpack.pack({ position = #refs < request.limit and '' or refs[#refs], batches = found }) }
end

-- At most `limit` jobs of a batch after this number: ids, how they ended, and where the next page begins.
local function page_of(ref, after, limit)
  local flat = call('ZRANGEBYSCORE', Key.batch_jobs(ref), '(' .. number_text(after), '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
  local ids = {}
  for i = 1, #flat, 2 do
    ids[#ids + 1] = flat[i]
  end
  local ends = #ids > 0 and call('HMGET', Key.batch_ends(ref), unpack(ids)) or {}
  return ids, ends, #ids == limit and tonumber(flat[#flat]) or nil
end

function Batch.jobs(request)
  local ids, ends, after = page_of(request.ref, request.after, request.limit)
  local running = #ids > 0 and call('SMISMEMBER', Key.batch_running(request.ref), unpack(ids)) or {}
  local rows = {}
  for i, id in ipairs(ids) do
    rows[i] = { id = id, running = running[i] == 1, status = ends[i] and string.match(ends[i], '^%S+') or nil }
  end
  return { cmsgpack.pack({ after = after, jobs = rows }) }
end

function Batch.end_adding(request)
  local ref = request.ref
  local batch = Batch.read(ref)
  if not batch then
    return 'unknown'
  end
  if request.reopened and not (batch.reopened and batch.state == Batch.State.OPEN) then
    return 'closed'
  end
  return Batch.close(ref, batch) and 'completed' or 'closed'
end

function Batch.cancel(request)
  local ref = request.ref
  local batch = Batch.read(ref)
  if not batch then
    return { cmsgpack.pack({ known = false, count = 0, more = false, completed = false }) }
  end
  if batch.state ~= Batch.State.COMPLETE then
    batch.cancel_requested = '1'
    call('HSET', Key.batch(ref), 'cancel_requested', 1)
    call('HDEL', Key.batch(ref), 'reopened')
  end
  Batch.transition(ref, batch, Batch.Event.CANCEL)
  local count, more = Batch.cancel_slice(ref, batch)
  -- Without a job that has not ended, this is its end.
  local completed = batch.state == Batch.State.CLOSED and Batch.close(ref, batch)
  Wakeup.flush()
  return { cmsgpack.pack({ known = true, count = count, more = more, completed = completed }) }
end

function Batch.letters(request)
  local _, ends, after = page_of(request.ref, request.after, request.limit)
  local reply = { cmsgpack.pack({ after = after or 0 }) }
  for _, text in ipairs(ends) do
    local entry = text and string.match(text, '^%S+ (%S+)$')
    reply[#reply + 1] = entry and DeadLetter.find(entry) or nil
  end
  return reply
end

function Batch.retry(request)
  local ref = request.ref
  local batch = Batch.read(ref)
  if not batch then
    return 'unknown'
  end
  if batch.state ~= Batch.State.COMPLETE then
    return batch.reopened and batch.state == Batch.State.OPEN and 'reopened' or 'runs'
  end
  batch.deadline_at = string.format('%.0f', NOW + tonumber(batch.deadline_ms))
  Batch.transition(
    ref, batch, Batch.Event.RETRY,
    'round', number(batch.round) + 1, 'reopened', 1, 'deadline_at', batch.deadline_at
  )
  call('HDEL', Key.batch(ref), 'completed_at', 'reason', 'cancel_requested', 'cancel_from')
  for _, key in ipairs({ Key.batch(ref), Key.batch_jobs(ref), Key.batch_ends(ref) }) do
    call('PERSIST', key)
  end
  Batch.schedule(ref, batch)
  return 'reopened'
end

function Batch.apply_event(request)
  local batch = Batch.read(request.ref) or { state = Batch.State.NEW }
  Batch.transition(request.ref, batch, request.event)
  return batch.state
end
