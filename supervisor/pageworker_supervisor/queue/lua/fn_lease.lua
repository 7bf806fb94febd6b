-- What a worker does with a lease other than ending its job. Each function compares the token, and gives the same answer
-- when it is called twice: 1 done, 0 the lease is not (any more) the caller's.
--
-- heartbeat
--   request: worker, leases: list of ref, token, traffic (absent: none); profiles: list of tenant, profile, fence
--   reply: lost_tokens, cancelled_tokens; lost_profiles, asked_profiles: numbers of profiles in the request, from 1;
--     limits: id of the table of limits that is in force (absent: none)
-- begin            request: ref, token, used. A handler of this job has begun: it does not expire any more.
-- store            request: ref, token. Its handler has ended, and its worker still stores its artifacts: the permits are free.
-- In the next four, `begun` is true if a handler had begun in this lease, `traffic` (optional) is what the lease used of
-- the network, and `events` are JSON to publish. In all six, `used` (optional) is JSON of what the attempt used, for the
-- job's history.
-- retry            request: ref, token, begun, traffic, delay_ms, attempt (JSON), events. The attempt is used up.
-- crash            request: ref, token, begun, traffic, delay_ms, attempt (JSON), events. The runner died: counted as a
--                  crash.
-- defer            request: ref, token, begun, traffic, delay_ms, reason. Nothing is charged.
-- requeue          request: ref, token, begun, traffic. To the front, uncharged.
-- reassign         request: ref, token, used, values. To the context where it belongs with these values, uncharged.
-- release_profile  request: worker, tenant, profile, fence
-- reap             request: limit, jitter (0 to 1). Takes back expired leases.
--   reply: count, workers: whose leases expired; completed: whether a batch was completed; more: whether batches are left to
--     be looked at

local function heartbeat(request)
  local reply = {
    lost_tokens = {}, cancelled_tokens = {}, lost_profiles = {}, asked_profiles = {}, limits = LimitsTable.id(),
  }
  for _, lease in ipairs(request.leases) do
    local f = call('HMGET', Key.job(lease.ref), 'token', 'cancel_requested')
    if f[1] ~= lease.token then
      table.insert(reply.lost_tokens, lease.token)
    else
      call('ZADD', Key.leases(), NOW + LEASE_MS, lease.ref)
      if lease.traffic then
        call('HSET', Key.job(lease.ref), 'lease_traffic', lease.traffic)
      end
      if f[2] then
        table.insert(reply.cancelled_tokens, lease.token)
      end
    end
  end
  for i, held in ipairs(request.profiles) do
    local worker, fence, asked_at = Profile.holder(held.tenant, held.profile)
    if worker ~= request.worker or tonumber(fence) ~= held.fence then
      table.insert(reply.lost_profiles, i)
    else
      call('ZADD', Key.profile_locks(), NOW + LEASE_MS, held.tenant .. '/' .. held.profile)
      if asked_at then
        table.insert(reply.asked_profiles, i)
      end
    end
  end
  call('ZADD', Key.workers(), NOW, request.worker)
  return { cmsgpack.pack(reply) }
end

local function publish(tenant, events)
  for _, event in ipairs(events or {}) do
    Subscriptions.publish(tenant, event)
  end
end

-- Find the leased job and do `act` with it.
local function with_lease(request, act)
  local job, given_up = Job.find_lease(request.ref, request.token)
  if not job then
    return given_up and 1 or 0
  end
  job.used = request.used or job.used
  act(request.ref, job)
  Wakeup.flush()
  return 1
end

local function begin(request)
  local f = call('HMGET', Key.job(request.ref), 'token', 'state', 'used', 'history')
  if f[1] ~= request.token then
    return 0
  end
  if not f[3] then -- else this is the same call again
    local job = { state = f[2], history = f[4] }
    Job.transition(request.ref, job, Event.BEGIN, 'begun', 1, 'used', request.used or '')
  end
  return 1
end

local function store(request)
  local job = Job.read_leased(request.ref, request.token)
  if not job then
    return 0
  end
  if job.state == State.RUNNING then -- else this is the same call again
    Job.release_permits(job)
    call('HINCRBY', Key.job(request.ref), 'page_ms', max(0, NOW - (tonumber(job.started_at) or NOW)))
    call('HDEL', Key.job(request.ref), 'permits')
    Job.transition(request.ref, job, Event.STORE)
    Wakeup.flush()
  end
  return 1
end

local function retry(request)
  return with_lease(request, function(id, job)
    if Job.take_back(id, job, Event.RETRY, request.begun, request.traffic) then
      Job.remember_attempt(id, request.attempt)
      call('HINCRBY', Key.job(id), 'attempts_used', 1)
      Job.delay(id, job, Event.RETRY, NOW + request.delay_ms)
      publish(job.tenant, request.events)
    end
  end)
end

local function crash(request)
  return with_lease(request, function(id, job)
    Job.crash(id, job, Event.CRASH, request.delay_ms, request.attempt, request.begun, request.traffic)
    publish(job.tenant, request.events)
  end)
end

local function defer(request)
  return with_lease(request, function(id, job)
    if Job.take_back(id, job, Event.DEFER, request.begun, request.traffic, request.reason) then
      call('HSET', Key.job(id), 'defer_reason', request.reason)
      Job.delay(id, job, Event.DEFER, NOW + request.delay_ms)
    end
  end)
end

local function requeue(request)
  return with_lease(request, function(id, job)
    if Job.take_back(id, job, Event.REQUEUE, request.begun, request.traffic) then
      Backlog.push(id, job, Event.REQUEUE, true)
    end
  end)
end

local function reassign(request)
  return with_lease(request, function(id, job)
    if Job.take_back(id, job, Event.REASSIGN, false) then
      Job.move(id, job, request.values)
    end
  end)
end

local function release_profile(request)
  local worker, fence = Profile.holder(request.tenant, request.profile)
  if worker ~= request.worker or tonumber(fence) ~= request.fence then
    return 0
  end
  Profile.unlock(request.tenant, request.profile)
  Wakeup.flush()
  return 1
end

-- A lease whose worker is gone. The job comes back after a while, and its tenant gets an event.
local function reap_lease(id, job, jitter)
  local attempt = {
    attempt = number(job.attempts_used) + 1,
    started_at = rfc3339(tonumber(job.started_at)),
    duration_seconds = max(0, NOW - tonumber(job.started_at)) / 1000, -- the clock may have been set back
    outcome = 'lost',
    worker_id = job.worker,
  }
  local delay = CRASH_BACKOFF_MS * 2 ^ number(job.crashes) * (0.5 + jitter / 2)
  local ran = job.state ~= State.FINISHING
  Job.crash(id, job, Event.REAP, floor(delay), cjson.encode(attempt), false)
  if ran then
    local event = {
      event = 'worker_lost', job_id = Job.own_id(id), tenant_id = job.tenant, at = rfc3339(NOW),
      attempt = attempt.attempt, worker_id = job.worker,
    }
    publish(job.tenant, { cjson.encode(event) })
  end
end

local function reap(request)
  Shard.follow_clock()
  local workers, seen, count = {}, {}, 0
  for _, id in ipairs(call('ZRANGEBYSCORE', Key.leases(), '-inf', NOW, 'LIMIT', 0, request.limit)) do
    local job = Job.read(id)
    count = count + 1
    if not job or not job.token then
      call('ZREM', Key.leases(), id)
    else
      if not seen[job.worker] then
        seen[job.worker] = true
        workers[#workers + 1] = job.worker
      end
      reap_lease(id, job, request.jitter)
    end
  end
  advance()
  Shard.forget_silent_workers()
  Shard.forget_drains_of_gone_workers()
  local completed, more = Batch.look()
  Wakeup.flush()
  return { cmsgpack.pack({ count = count, workers = workers, completed = completed, more = more }) }
end
