-- A job. Its reference, `<tenant>/<id>`, is called `id` here: job ids are per tenant.
--
-- `job:<job>` is its record, `body:<job>` its JSON. They are apart so that the record stays small and in one piece of
-- memory: a hash with a long value is neither. Both live from enqueue to the result. After that `done:<job>` remembers
-- the job for as long as its result is kept, so that the same id is the same job, unless it was rejected.
--
-- The fields of the record are listed and explained in `queue/library.py`, the states, events and transitions in
-- `contract/job_state.py`. Job.transition is the only function that writes the field `state`.
--
-- Used by: every fn_ file except fn_outbox and fn_workers; backlog, dead_letter, fleet, module.

local CRASHES = 3
local CRASH_BACKOFF_MS = 1000
local MOVES_AT_ONCE = 2
local MOVE_BACKOFF_MS = 500
local MAX_MOVE_BACKOFF_MS = 30000
local GROUP = 'workers' -- the consumer group of `ready`

-- Fields that are read for many jobs per call, in the order in which Job.read_queued and Job.read_leased use them.
local QUEUED_FIELDS = {
  'state', 'backlog_stamp', 'crashes', 'expires_at', 'pushed_at', 'queued_at', 'attempts_used', 'begun', 'past_attempts',
  'waited_ms', 'module', 'page_ms', 'traffic', 'history', 'batch',
}
local FINISH_FIELDS = {
  'token', 'state', 'tenant', 'priority', 'context', 'domain', 'entry', 'fence', 'expires_at', 'cancel_requested',
  'permits', 'module', 'bytes', 'push', 'started_at', 'worker', 'used', 'history', 'once', 'batch',
}

-- What its tenant calls this job.
function Job.own_id(id)
  return string.match(id, '/(.*)$') or ''
end

-- The whole record, or nil if the job has none.
function Job.read(id)
  local values = call('HMGET', Key.job(id), unpack(JOB_FIELDS))
  local job = {}
  for i = 1, #JOB_FIELDS do
    job[JOB_FIELDS[i]] = values[i]
  end
  return job.state and job or nil
end

function Job.body(id)
  return call('GET', Key.body(id)) or ''
end

-- NEW, ENDED, or the state in its record.
function Job.state(id)
  return call('HGET', Key.job(id), 'state') or (Push.ended(id) and State.ENDED) or State.NEW
end

-- A job of a backlog with what its lease tells the worker; nil if the entry is void.
function Job.read_queued(id, stamp, tenant, context, domain, priority)
  local f = call('HMGET', Key.job(id), unpack(QUEUED_FIELDS))
  if f[1] ~= State.QUEUED or f[2] ~= stamp then
    return nil
  end
  return {
    tenant = tenant, context = context, domain = domain, priority = priority, state = f[1], backlog_stamp = f[2],
    crashes = f[3], expires_at = f[4], pushed_at = f[5], queued_at = f[6], attempts_used = f[7], begun = f[8],
    past_attempts = f[9], waited_ms = f[10], module = f[11], page_ms = f[12], traffic = f[13], history = f[14],
    batch = f[15],
  }
end

-- A leased job with what `finish` needs; nil if this token does not hold it.
function Job.read_leased(id, token)
  local f = call('HMGET', Key.job(id), unpack(FINISH_FIELDS))
  if f[1] ~= token then
    return nil
  end
  return {
    token = token, state = f[2], tenant = f[3], priority = f[4], context = f[5], domain = f[6], entry = f[7],
    fence = f[8], expires_at = f[9], cancel_requested = f[10], permits = f[11], module = f[12],
    bytes = f[13], push = f[14], started_at = f[15], worker = f[16], used = f[17], history = f[18],
    once = f[19], batch = f[20],
  }
end

-- The job whose lease has this token, or nil; then whether this token was the last one that was given up.
function Job.find_lease(id, token)
  local job = Job.read(id)
  if not job then
    return nil, false
  end
  if job.token == token then
    return job
  end
  return nil, job.last_token == token
end

-- Apply an event to a job whose state is `job.state`, and write the state that follows with these fields and values. No
-- other function writes `state`. An illegal event is an error, and this function writes nothing. What the Redis Function
-- wrote before stays: Redis does not roll back.
function Job.transition(id, job, event, ...)
  local before = job.state
  local after = TRANSITIONS[before] and TRANSITIONS[before][event]
  if not after then
    error(redis.error_reply(
      'ILLEGALTRANSITION event ' .. tostring(event) .. ' is illegal in state ' .. tostring(before) .. ' of job ' .. id
    ))
  end
  job.state = after
  local history = History.add(id, job, event, before, after)
  if after == State.ENDED then
    call('DEL', Key.job(id), Key.body(id))
  elseif after == State.NEW then
    call('DEL', Key.done(id), Key.kept(id), Key.timeline(id))
  elseif after ~= before then
    call('HSET', Key.job(id), 'state', after, 'history', history, ...)
  else
    call('HSET', Key.job(id), 'history', history, ...)
  end
  if job.batch and after ~= before then
    Batch.moved(id, job.batch, before, after)
  end
end

-- Milliseconds until the job expires, 0 or less once it has expired; nil if it does not expire (any more).
function Job.begins_within(job)
  return job.expires_at and not job.begun and tonumber(job.expires_at) - NOW or nil
end

-- Run the job no earlier than `due`. A worker that sleeps longer than that is woken and shortens its timeout.
function Job.delay(id, job, event, due)
  Job.transition(id, job, event)
  call('ZADD', Key.delayed(), due, id)
  Listing.add('delayed', id)
  if call('ZRANGE', Key.delayed(), 0, 0)[1] == id then
    Wakeup.slots()
    Wakeup.context(job.tenant, job.context)
  end
end

function Job.undelay(id)
  if call('ZREM', Key.delayed(), id) == 1 then
    Listing.remove('delayed', id)
  end
end

-- The job expires at this instant. A worker that sleeps longer than that is woken and shortens its timeout.
function Job.expire_at(id, at)
  call('ZADD', Key.expiry(), at, id)
  if call('ZRANGE', Key.expiry(), 0, 0)[1] == id then
    Wakeup.any_worker()
  end
end

-- The job does not run (again): any worker claims it to write its result, also a worker that has no free page.
-- `ending`: `cancelled`, `expired` or `dead`.
function Job.mark_ending(id, job, event, ending)
  Job.transition(id, job, event, 'ending', ending)
  call('RPUSH', Key.ending(), id)
  call('ZREM', Key.expiry(), id)
  Listing.add('ending', id)
  Wakeup.any_worker()
end

-- Which permits a lease holds beside those of its tenant and domain: see fleet.lua. nil: none.
function Job.permits_text(fleet, module)
  local text = (fleet and 'f' or '') .. (module and 'm' or '')
  return text ~= '' and text or nil
end

-- Note them in the record of a job that runs.
function Job.note_permits(id, job, permits)
  if permits then
    call('HSET', Key.job(id), 'permits', permits, 'module', job.module or '')
  elseif job.permits then
    call('HDEL', Key.job(id), 'permits')
  end
end

-- Release the permits of a lease. A job that is STORING or FINISHING has none. `ends`: the job ends too, so its tenant and its domain
-- count it no more. Both are one command per hash. `release_profile`: see Profile.end_job.
function Job.release_permits(job, ends, release_profile)
  local size = ends and number(job.bytes) or nil
  if job.state ~= State.RUNNING then
    if ends then
      Tenant.remove_job(job.tenant, size)
      if job.domain ~= NO_DOMAIN then
        Domain.remove_job(job.domain)
      end
    end
    return
  end
  Tenant.end_lease(job.tenant, job.started_at and tonumber(job.started_at), size)
  if job.domain ~= NO_DOMAIN then
    Domain.end_lease(job.domain, job.tenant, ends)
  end
  if job.permits then
    if string.find(job.permits, 'm', 1, true) then
      Module.release(job.module, job.tenant)
    end
    if string.find(job.permits, 'f', 1, true) then
      Fleet.release_permit()
    end
  end
  local profile = Context.profile(job.context)
  if profile then
    Profile.end_job(job.tenant, profile, job.fence, release_profile)
  end
end

-- The sum of two texts `<requests> <bytes in> <bytes out>`; each may be nil. A number is exact up to 2^53 - 1.
function Job.add_traffic(a, b)
  local sum, pattern = { 0, 0, 0 }, '^(%d+) (%d+) (%d+)$'
  for _, text in ipairs({ a or '', b or '' }) do
    for i, count in ipairs({ string.match(text, pattern) }) do
      sum[i] = min(sum[i] + tonumber(count), 2 ^ 53 - 1)
    end
  end
  return string.format('%.0f %.0f %.0f', sum[1], sum[2], sum[3])
end

-- Take a job back from its worker. Returns true if the caller puts it back into the queue with this event, false if
-- the job has come to its end instead. `begun`: its worker reports that a handler began; until then a job may expire.
-- `traffic`: what its worker reports of this lease; nil: what the last heartbeat reported. `reason`: why it is put off.
function Job.take_back(id, job, event, begun, traffic, reason)
  Job.release_permits(job)
  call('ZREM', Key.leases(), id)
  call('XACK', Key.ready(), GROUP, job.entry)
  call('XDEL', Key.ready(), job.entry)
  if job.queued_at and job.started_at then
    call('HINCRBY', Key.job(id), 'waited_ms', max(0, job.started_at - job.queued_at))
  end
  if job.state == State.RUNNING then
    call('HINCRBY', Key.job(id), 'page_ms', max(0, NOW - job.started_at))
  end
  traffic = traffic or job.lease_traffic
  if traffic then
    call('HSET', Key.job(id), 'last_token', job.token, 'traffic', Job.add_traffic(job.traffic, traffic))
  else
    call('HSET', Key.job(id), 'last_token', job.token)
  end
  call(
    'HDEL', Key.job(id), 'token', 'worker', 'entry', 'started_at', 'fence', 'defer_reason', 'permits', 'lease_traffic',
    'progress', 'used'
  )
  job.defer_reason = reason
  if job.state == State.FINISHING then
    Job.mark_ending(id, job, event, job.ending)
    return false
  end
  if job.cancel_requested then
    Job.mark_ending(id, job, Event.CANCEL, 'cancelled')
    return false
  end
  if job.expires_at and begun then
    job.begun = '1'
    call('HSET', Key.job(id), 'begun', 1)
  end
  local left = Job.begins_within(job)
  if left and left <= 0 then
    Job.mark_ending(id, job, Event.EXPIRE, 'expired')
    return false
  end
  if left then
    Job.expire_at(id, job.expires_at)
  end
  return true
end

-- The job's runner (`event` CRASH) or its worker (REAP) died under it.
function Job.crash(id, job, event, delay, attempt, begun, traffic)
  if not Job.take_back(id, job, event, begun, traffic) then
    return
  end
  Job.remember_attempt(id, attempt)
  local crashes = call('HINCRBY', Key.job(id), 'crashes', 1)
  if crashes >= CRASHES then
    Job.mark_ending(id, job, Event.GIVE_UP, 'dead')
    return
  end
  job.context = Context.exclusive(job.context)
  call('HSET', Key.job(id), 'context', job.context)
  Job.delay(id, job, event, NOW + delay)
end

-- The job's module may reach other hosts, or have other options, than when the job was queued: it goes to the front of the
-- context where it belongs now. Where two workers have two versions of the module it could move to and fro, so after a few moves it comes
-- back later each time.
function Job.move(id, job, values)
  job.context = Context.with_values(job.context, values)
  call('HSET', Key.job(id), 'context', job.context)
  local moves = call('HINCRBY', Key.job(id), 'moves', 1)
  if moves <= MOVES_AT_ONCE then
    Backlog.push(id, job, Event.REASSIGN, true)
  else
    local backoff = min(MOVE_BACKOFF_MS * 2 ^ (moves - MOVES_AT_ONCE - 1), MAX_MOVE_BACKOFF_MS)
    Job.delay(id, job, Event.REASSIGN_LATER, NOW + backoff)
  end
end

-- Keep the JSON of an attempt with the job.
function Job.remember_attempt(id, attempt)
  local past = call('HGET', Key.job(id), 'past_attempts')
  call('HSET', Key.job(id), 'past_attempts', past and (past .. '\n' .. attempt) or attempt)
end

-- The job has its result: its record goes, `done` remembers it, `timeline` keeps its history. `free`: its id may be used again.
-- `dead`: it has a dead letter.
function Job.finish(id, job, token, free, ttl, dead)
  Job.transition(id, job, Event.FINISH)
  call('SET', Key.done(id), Push.mark(token, job.push or '', free), 'PX', ttl)
  History.keep(id, job.history, ttl)
  Once.keep(id, job, ttl, dead)
  if job.expires_at then
    call('ZREM', Key.expiry(), id)
  end
end

-- Bounded slices of the jobs that are due. Expired jobs come first, so that none of them starts.
function Job.promote()
  for _, id in ipairs(call('ZRANGEBYSCORE', Key.expiry(), '-inf', NOW, 'LIMIT', 0, SLICE)) do
    call('ZREM', Key.expiry(), id)
    local job = Job.read(id)
    if job and (job.state == State.QUEUED or job.state == State.DELAYED) then
      Job.undelay(id)
      Job.mark_ending(id, job, Event.EXPIRE, 'expired')
    end
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', Key.delayed(), '-inf', NOW, 'LIMIT', 0, SLICE)) do
    local job = Job.read(id)
    if job and job.state == State.DELAYED then
      Job.undelay(id)
      Backlog.push(id, job, Event.COME_DUE)
    else
      call('ZREM', Key.delayed(), id)
    end
  end
end

-- Everything that the passing of time brings about.
local function advance()
  Profile.expire_locks()
  Timer.run()
  Job.promote()
end
