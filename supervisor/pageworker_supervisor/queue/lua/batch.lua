-- A batch: jobs of one tenant that are answered once as a whole. Its reference, `<tenant>/<batch id>`, is called `ref` here.
-- A batch is on the shard of its tenant, as are the tenant's jobs, so the call that ends a job counts it in its batch.
--
-- `batch:<batch>` is its record, `batch_jobs:<batch>` has its jobs by the order in which they came, `batch_ends:<batch>` how
-- each ended: `<status>`, and behind that the entry of its dead letter. `batch_running:<batch>` has those that a worker runs:
-- a set, so that it mends itself where an older release moved a job. `batches` lists all, `batches_due` says when each is to
-- be looked at: its deadline, or the end of its time to live. A reap looks at them.
--
-- The states, events and transitions are in `contract/batch_state.py`, the fields in `queue/batch_tables.py`.
-- Batch.transition is the only function that writes the field `state`.
--
-- Used by: clock_set_back, job, fn_batches, fn_check_batches, fn_check_consistency, fn_enqueue, fn_finish, fn_lease.

local MOST_JOBS = 100000
local LOOKED_AT_PER_CALL = 16
local CANCELLED_PER_CALL = 256
local RUNNING_MS = 32 * 24 * 3600 * 1000 -- longer than a batch and its jobs may take
local CANCEL_AGAIN_MS = 5000 -- after which a reap goes on with a cancellation whose caller is gone
local RUNS = { [State.RUNNING] = true, [State.STORING] = true }
local IS_FAILURE = {
  failed = true, blocked = true, timed_out = true, rejected = true, expired = true, dead = true,
}

function Batch.read(ref)
  local values = call('HMGET', Key.batch(ref), unpack(Batch.FIELDS))
  local batch = {}
  for i = 1, #Batch.FIELDS do
    batch[Batch.FIELDS[i]] = values[i]
  end
  return batch.state and batch or nil
end

-- Tenant and id of a reference.
function Batch.parts(ref)
  return string.match(ref, '^([^/]*)/(.*)$')
end

-- Apply an event to a batch, and write the state that follows with these fields and values. No other function writes
-- `state`. An illegal event is an error, and this function writes nothing.
function Batch.transition(ref, batch, event, ...)
  local before = batch.state
  local after = Batch.TRANSITIONS[before] and Batch.TRANSITIONS[before][event]
  if not after then
    error(redis.error_reply(
      'ILLEGALTRANSITION event ' .. tostring(event) .. ' is illegal in state ' .. tostring(before) .. ' of batch ' .. ref
    ))
  end
  batch.state = after
  if after ~= before then
    call('HSET', Key.batch(ref), 'state', after, ...)
    local open = (before == Batch.State.NEW or before == Batch.State.COMPLETE) and 1 or 0
    local ended = after == Batch.State.COMPLETE and 1 or 0
    if open ~= ended then
      call('HINCRBY', Key.meta(), 'batches', open - ended)
    end
  end
end

local function is_member(ref, id)
  return call('ZSCORE', Key.batch_jobs(ref), Job.own_id(id)) and true or false
end

-- Keep what belongs to a complete batch for its time to live, from now on.
local function keep(ref, batch)
  local ttl = tonumber(batch.keep_ms)
  for _, key in ipairs({ Key.batch(ref), Key.batch_jobs(ref), Key.batch_ends(ref), Key.batch_running(ref) }) do
    call('PEXPIRE', key, ttl)
  end
  call('ZADD', Key.batches_due(), NOW + ttl, ref)
end

-- How many jobs of a batch have ended.
function Batch.ended(batch)
  local sum = 0
  for _, status in ipairs(Batch.STATUSES) do
    sum = sum + number(batch[status])
  end
  return sum
end

-- How many of its jobs are where.
function Batch.counts(ref, batch)
  local running = call('SCARD', Key.batch_running(ref))
  local counts = { running = running, waiting = max(0, number(batch.added) - Batch.ended(batch) - running) }
  for _, status in ipairs(Batch.STATUSES) do
    counts[status] = number(batch[status])
  end
  return counts
end

-- The one completion of a round: state, event, and the promise of the callback.
local function complete(ref, batch, event)
  local reason = event == Batch.Event.ALL_ENDED and batch.cancel_requested and 'cancelled' or event
  Batch.transition(ref, batch, event, 'completed_at', NOW_TEXT, 'reason', reason)
  call('HDEL', Key.batch(ref), 'reopened')
  local tenant, own_id = Batch.parts(ref)
  local told = {
    kind = 'batch', batch_id = own_id, tenant_id = tenant, reason = reason, round = number(batch.round),
    size = tonumber(batch.size) or cjson.null, job_count = number(batch.added), counts = Batch.counts(ref, batch),
    created_at = rfc3339(tonumber(batch.created_at)), completed_at = rfc3339(NOW),
  }
  local happened = {
    event = 'batch_done', batch_id = own_id, tenant_id = tenant, at = rfc3339(NOW),
    detail = { reason = reason, round = told.round, job_count = told.job_count, counts = told.counts },
  }
  Subscriptions.publish(tenant, cjson.encode(happened))
  if batch.callback_url ~= '' then
    Outbox.add('batch:' .. ref .. '#' .. number(batch.round), ref, batch.callback_url, cjson.encode(told), false)
  end
  keep(ref, batch)
end

-- Complete a batch that is closed and has no job left. True: it is complete now.
local function settle(ref, batch)
  if batch.state == Batch.State.CLOSED and Batch.ended(batch) == number(batch.added) then
    complete(ref, batch, Batch.Event.ALL_ENDED)
    return true
  end
  return false
end

-- Why this job cannot belong to its batch, nil if it can. Writes nothing.
function Batch.refusal(new)
  local ref = new.tenant .. '/' .. new.batch
  local batch = Batch.read(ref)
  if not batch then
    return 'batch_unknown'
  end
  if is_member(ref, new.ref) then
    return batch.state == Batch.State.COMPLETE and 'batch_closed' or nil
  end
  if number(batch.added) >= (tonumber(batch.size) or MOST_JOBS) then
    return 'batch_full'
  end
  return batch.state ~= Batch.State.OPEN and 'batch_closed' or nil
end

local function add(ref, batch, id)
  Batch.transition(ref, batch, Batch.Event.ADD_JOB)
  batch.added = call('HINCRBY', Key.batch(ref), 'added', 1)
  call('ZADD', Key.batch_jobs(ref), batch.added, Job.own_id(id))
  if batch.size ~= '' and batch.added >= tonumber(batch.size) then
    Batch.transition(ref, batch, Batch.Event.CLOSE)
  end
end

-- A job is queued that names this batch. Returns the batch's reference, nil if the batch is not kept any more.
function Batch.take_in(new)
  local ref, own_id = new.tenant .. '/' .. new.batch, Job.own_id(new.ref)
  local batch = Batch.read(ref)
  if not batch then
    return nil
  end
  local status = string.match(call('HGET', Key.batch_ends(ref), own_id) or '', '^%S+')
  if status then -- it had ended: this is its corrected push, or the retry of its dead letter
    Batch.transition(ref, batch, Batch.Event.REQUEUE_JOB)
    call('HDEL', Key.batch_ends(ref), own_id)
    call('HINCRBY', Key.batch(ref), status, -1)
    if batch.state == Batch.State.COMPLETE then
      keep(ref, batch)
    end
  elseif not is_member(ref, new.ref) then
    if batch.state ~= Batch.State.OPEN then -- a batch of the same id as one that is not kept any more
      return nil
    end
    add(ref, batch, new.ref)
  end
  return ref
end

-- A job has left the state `before` for `after`.
function Batch.moved(id, ref, before, after)
  if RUNS[before] == RUNS[after] then
    return
  end
  if RUNS[after] then
    call('SADD', Key.batch_running(ref), Job.own_id(id))
    call('PEXPIRE', Key.batch_running(ref), RUNNING_MS)
  else
    call('SREM', Key.batch_running(ref), Job.own_id(id))
  end
end

local function count_end(ref, batch, id, status, letter)
  Batch.transition(ref, batch, Batch.Event.END_JOB)
  call('HSET', Key.batch_ends(ref), Job.own_id(id), letter and (status .. ' ' .. letter) or status)
  batch[status] = call('HINCRBY', Key.batch(ref), status, 1)
  if batch.state == Batch.State.COMPLETE then
    keep(ref, batch)
    return false
  end
  if batch.complete_on == 'first_failure' and IS_FAILURE[status] then
    complete(ref, batch, Batch.Event.FIRST_FAILURE)
    return true
  end
  return settle(ref, batch)
end

-- A job of this batch has its result. `letter`: the entry of its dead letter, nil if it has none. True: that completed it.
function Batch.end_job(ref, id, status, letter)
  local batch = Batch.read(ref)
  if not batch or not is_member(ref, id) or call('HEXISTS', Key.batch_ends(ref), Job.own_id(id)) == 1 then
    return false
  end
  return count_end(ref, batch, id, status, letter)
end

-- A text was rejected that names this batch and this job. It counts as a job that ended. True: that completed the batch.
function Batch.reject(tenant, own_id, id)
  local ref = tenant .. '/' .. own_id
  local batch = Batch.read(ref)
  if not batch or batch.state ~= Batch.State.OPEN or number(batch.added) >= MOST_JOBS or is_member(ref, id) then
    return false
  end
  add(ref, batch, id)
  return count_end(ref, batch, id, 'rejected')
end

-- No further job is added. True: that completed the batch.
function Batch.close(ref, batch)
  Batch.transition(ref, batch, Batch.Event.CLOSE)
  call('HDEL', Key.batch(ref), 'reopened')
  return settle(ref, batch)
end

-- Cancel a slice of the jobs that have not ended. The batch keeps how far that came, so that a reap goes on with it.
-- Returns how many, and whether more are left.
function Batch.cancel_slice(ref, batch)
  local from, count = batch.cancel_from or '0', 0
  local page = call('ZRANGEBYSCORE', Key.batch_jobs(ref), '(' .. from, '+inf', 'WITHSCORES', 'LIMIT', 0, CANCELLED_PER_CALL)
  local tenant = Batch.parts(ref)
  for i = 1, #page, 2 do
    from = page[i + 1]
    local id = tenant .. '/' .. page[i]
    local job = call('HGET', Key.job(id), 'batch') == ref and Job.read(id)
    if job and Job.cancel(id, job) ~= 'finished' then
      count = count + 1
    end
  end
  local more = #page == 2 * CANCELLED_PER_CALL
  if more then
    call('HSET', Key.batch(ref), 'cancel_from', from)
    call('ZADD', Key.batches_due(), NOW + CANCEL_AGAIN_MS, ref)
  else
    call('HDEL', Key.batch(ref), 'cancel_from')
    Batch.schedule(ref, batch)
  end
  return count, more
end

-- When the batch is to be looked at next.
function Batch.schedule(ref, batch)
  if batch.state == Batch.State.COMPLETE then
    call('ZADD', Key.batches_due(), NOW + max(0, call('PTTL', Key.batch(ref))), ref)
  else
    call('ZADD', Key.batches_due(), batch.deadline_at, ref)
  end
end

local function look_at(ref)
  local batch = Batch.read(ref)
  if not batch then
    call('ZREM', Key.batches_due(), ref)
    call('ZREM', Key.batches(), ref)
  elseif batch.cancel_from then
    local _, more = Batch.cancel_slice(ref, batch)
    if more then
      call('ZADD', Key.batches_due(), NOW, ref)
    end
    return false, more
  elseif batch.state ~= Batch.State.COMPLETE and tonumber(batch.deadline_at) <= NOW then
    complete(ref, batch, Batch.Event.DEADLINE)
    return true
  else
    Batch.schedule(ref, batch)
  end
  return false
end

-- Look at a slice of the batches that are due. Returns whether one was completed, and whether more is to be done.
function Batch.look()
  local due = call('ZRANGEBYSCORE', Key.batches_due(), '-inf', NOW, 'LIMIT', 0, LOOKED_AT_PER_CALL)
  local any_completed, more = false, #due == LOOKED_AT_PER_CALL
  for _, ref in ipairs(due) do
    local completed, cancels = look_at(ref)
    any_completed, more = any_completed or completed, more or cancels or false
  end
  return any_completed, more
end

-- The clock was set back: the batch is due at this instant now.
function Batch.bring_forward(ref, at)
  if call('HEXISTS', Key.batch(ref), 'deadline_at') == 1 then
    call('HSET', Key.batch(ref), 'deadline_at', at)
  end
end
