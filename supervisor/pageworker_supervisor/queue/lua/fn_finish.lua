-- The end of a job: its one result, stored together with the promise to deliver it.
--
-- finish
--   request: retention, ref, token, status, result
--     callback_url  (optional)
--     trace         traceparent of the producer, for its callback (optional)
--     release_profile  true: the worker has not opened the profile that the claim locked. The lock ends too, unless
--                   other jobs run that hold it (optional)
--     dead_letter   JSON of the last error and the attempts (optional)
--     events        list of JSON to publish
--     used          JSON of what the attempt used, for the job's history (optional)
--     observed      of a job of a running rollout: module, rollout, started_ms, fields to count (optional;
--                   see fn_rollouts.lua)
--     spent         what all attempts used, for the usage of the tenant: page_ms, requests, bytes_in, bytes_out (optional)
--   reply: `stored` (this is the job's result), `promised` (it is, and the outbox has an entry of a subscription or a batch), `lost` (the lease is
--     not the caller's) or `cancelled` (nothing was
--     stored: a cancellation was acknowledged before, and the job must end as `cancelled`)
-- reject
--   request: retention, push, text, reason, letter; ref, tenant, result, callback_url, event (optional: what the text
--     names itself, if that could be read); bound: whose results of rejected texts the result counts among, its tenant's
--     or `*`, those of all unknown tenants; batch: id of the batch in which the text counts as a job that was rejected (optional)
--   The same text within ten minutes is one dead letter. An id that is used keeps what it has; one that is not stays free.
--   reply: 1 if the result is the one that is stored, 2 if a subscription or a batch has an entry in the outbox as well, else 0
-- cancel
--   request: ref, memory_ms: how long the cancellation is remembered if the job is not known
--   reply: `cancelled`, `cancelling` (its worker is told), `awaited` (not known; if it comes, it is cancelled),
--     `finished` (it has its result, or only that is left to be written), `unknown` (no such job, and no more are remembered)
--   After any of the first three the job ends as `cancelled`.
--
-- retention: result_ttl_ms, stream_length, dead_length, dead_bytes, rejected_length, rejected_bytes (what is kept of the
-- results of one tenant's rejected texts, see rejection.lua), result_key (true: write the key of the result; on a
-- Cluster keys without a hash tag are on other nodes: the result then waits in `kept:<job>` until the caller, or the outbox
-- should the caller die, writes that key).

-- An outbox entry is named by the token (or the digest of the rejected text) that made it.
function Outbox.add(name, id, url, result, put_result, trace)
  call(
    'HSET', Key.outbox_entry(name),
    'job', id, 'callback_url', url or '', 'result', result, 'tries', 0, 'created_at', NOW,
    'put_result', put_result and 1 or 0, 'trace', trace or ''
  )
  call('ZADD', Key.outbox(), NOW, name)
end

-- The stored result goes to one more callback. False if there is no callback or no result.
function Outbox.add_stored(name, id, url)
  local result = url and stored_result(id)
  if not result then
    return false
  end
  Outbox.add(name, id, url, result, false)
  return true
end

-- `bound`: of a rejected text. `module`, `trace`: of the job that ends. Returns true if a subscription gets the result.
local function store_result(name, id, tenant, status, result, url, retention, bound, module, trace)
  local entry = call('XADD', Key.results(), 'MAXLEN', '~', retention.stream_length, '*', 'result', result)
  call('PUBLISH', PREFIX .. ':results:' .. tenant, result)
  call('SET', result_key_here(id), result, 'PX', retention.result_ttl_ms)
  if url or not retention.result_key then
    Outbox.add(name, id, url, result, not retention.result_key, trace)
  end
  if bound then
    Rejection.keep(id, bound, result, entry, retention)
  end
  return Subscriptions.promise_result(name, id, tenant, status, result, module, trace)
end

local function finish(request)
  local id, token, retention = request.ref, request.token, request.retention
  local job = Job.read_leased(id, token)
  if not job then
    return Push.ended(id) == token and 'stored' or 'lost'
  end
  if job.cancel_requested and job.state ~= State.FINISHING and request.status ~= 'cancelled' then
    return 'cancelled'
  end
  job.used = request.used or job.used
  Job.release_permits(job, true, request.release_profile)
  local rejected = request.status == 'rejected'
  local bound = rejected and job.tenant
  local promised = store_result(
    token, id, job.tenant, request.status, request.result, request.callback_url, retention, bound, job.module, request.trace
  )
  local letter
  if request.dead_letter then
    letter = DeadLetter.add(id, job.tenant, Job.body(id), request.dead_letter, request.status, job, retention)
  end
  for _, event in ipairs(request.events) do
    promised = Subscriptions.publish(job.tenant, event) or promised
  end
  Job.finish(id, job, token, rejected, retention.result_ttl_ms, request.dead_letter)
  call('HINCRBY', Key.meta(), 'jobs', -1)
  call('ZREM', Key.leases(), id)
  call('XACK', Key.ready(), GROUP, job.entry)
  call('XDEL', Key.ready(), job.entry)
  if request.observed then
    Rollouts.observe(request.observed)
  end
  if request.spent then
    Tenant.count_usage(job.tenant, request.status, request.spent)
  end
  local completed = job.batch and Batch.end_job(job.batch, id, request.status, letter)
  Wakeup.flush()
  return (completed or promised) and 'promised' or 'stored'
end

local function reject(request)
  local push, id, tenant = request.push, request.ref, request.tenant
  -- By tenant: another one may have pushed the same text to its own inbox.
  local seen = Push.remember(Key.rejected(), (tenant or '') .. '/' .. push)
  if seen == 'new' then
    DeadLetter.add(id or '', tenant or '', request.text, request.letter, request.reason, nil, request.retention)
  end
  if not id or not request.result then
    return 0
  end
  if seen == 'same' then
    return stored_result(id) == request.result and 1 or 0
  end
  local promised = Subscriptions.publish(tenant, request.event)
  if Push.is_used(id) then
    return 0
  end
  if seen == 'again' and stored_result(id) == request.result then
    Outbox.add_stored(push, id, request.callback_url)
  else
    local bound, retention = request.bound, request.retention
    promised = store_result(push, id, tenant, 'rejected', request.result, request.callback_url, retention, bound) or promised
  end
  local completed = request.batch and Batch.reject(tenant, request.batch, id)
  return (completed or promised) and 2 or 1
end

-- Cancel a job that has a record. The reply is that of `cancel`.
function Job.cancel(id, job)
  if job.state == State.RUNNING or job.state == State.STORING then
    Job.transition(id, job, Event.REQUEST_CANCEL, 'cancel_requested', 1)
    Wakeup.notify(job.worker, 'cancel ' .. id .. ' ' .. job.token)
    return 'cancelling'
  end
  if job.state == State.QUEUED or job.state == State.DELAYED then
    Job.undelay(id)
    Job.mark_ending(id, job, Event.CANCEL, 'cancelled')
    Wakeup.flush()
    return 'cancelled'
  end
  return job.ending == 'cancelled' and 'cancelled' or 'finished'
end

local function cancel(request)
  local id = request.ref
  local job = Job.read(id)
  if not job and Push.is_used(id) then
    return 'finished'
  end
  if not job then
    return Cancellation.remember(id, request.memory_ms) and 'awaited' or 'unknown'
  end
  return Job.cancel(id, job)
end
