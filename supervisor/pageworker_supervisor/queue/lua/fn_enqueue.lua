-- Jobs come in.
--
-- enqueue
--   request: jobs: list of a new job, as written by `queue/producer.py`:
--     ref, tenant, priority, context, domain, module, body, push
--     delay_ms or not_before_ms   run no earlier (optional)
--     expires_at_ms               (optional)
--     attempts_used, waited_ms    how long it was on its way into the queue
--     tenant_limits, domain_limits
--     most_jobs, most_bytes       what all jobs of its tenant together may be
--     callback_url                gets the stored result if the job has ended already (optional)
--     batch                       id of the batch that the job belongs to (optional)
--   reply: list of `queued`, `known` (the id has a job), `answered` (its job has ended; the result goes to the callback),
--     `full` (its tenant has as many jobs as it may have), `batch_unknown`, `batch_closed`, `batch_full` (its batch does not
--     take it). After the last four nothing is stored.
-- set_limits
--   request: version, digest, table: MessagePack, see limits_table.lua
--     worker, brought: on shard 0, who brings it, and the table for one shard (optional)
--   reply: `set`, `same` (this table was in force), `older` (one with a higher version is in force and stays)
--   Looks at every tenant that has work to start, at every domain and module that is waited for, and at every lease.

-- `cancelled`: the job's cancellation was acknowledged before the job came. `cap`: what its tenant may have, nil: any.
-- `history`: of the job that had this id and is revived. False: that would be exceeded.
local function add_job(new, cancelled, cap, history)
  if not Tenant.add_job(new.tenant, #new.body, new.tenant_limits, cap) then
    return false
  end
  local id = new.ref
  local job = {
    state = State.NEW, tenant = new.tenant, priority = new.priority, context = new.context, domain = new.domain,
    module = new.module, history = history or '',
  }
  local pushed_at = NOW - new.waited_ms
  local due = pushed_at
  if new.delay_ms then
    due = pushed_at + new.delay_ms
  elseif new.not_before_ms then
    due = new.not_before_ms
  end
  call(
    'HSET', Key.job(id),
    'tenant', job.tenant, 'priority', job.priority, 'context', job.context, 'domain', job.domain,
    'module', job.module, 'bytes', #new.body, 'pushed_at', pushed_at, 'attempts_used', new.attempts_used, 'push', new.push
  )
  call('SET', Key.body(id), new.body)
  call('HINCRBY', Key.meta(), 'jobs', 1)
  job.batch = new.batch and Batch.take_in(new)
  if job.batch then
    call('HSET', Key.job(id), 'batch', job.batch)
  end
  if job.domain ~= NO_DOMAIN then
    Domain.add_job(job.domain)
    Domain.set_limits(job.domain, new.domain_limits)
  end
  if new.expires_at_ms then
    call('HSET', Key.job(id), 'expires_at', new.expires_at_ms)
    Job.expire_at(id, new.expires_at_ms)
  end
  if cancelled then
    Job.mark_ending(id, job, Event.CANCEL, 'cancelled')
  elseif due > NOW then
    Job.delay(id, job, Event.ENQUEUE_LATER, due)
  else
    Backlog.push(id, job, Event.ENQUEUE, false, max(pushed_at, due))
  end
  return true
end

-- The job of this id has ended: send the stored result to this push's own callback. False: it was sent before, or there is
-- no callback or no result.
local function answer_again(new)
  if Push.remember(Key.repeated(), new.push) == 'same' then
    return false
  end
  local event = { event = 'duplicate', job_id = Job.own_id(new.ref), tenant_id = new.tenant, at = rfc3339(NOW) }
  Subscriptions.publish(new.tenant, cjson.encode(event))
  return Outbox.add_stored(new.push, new.ref, new.callback_url)
end

local function enqueue_one(new, any_cancelled)
  if call('EXISTS', Key.job(new.ref)) == 1 then
    return 'known'
  end
  local token, earlier, free = Push.ended(new.ref)
  local same = token and Push.is_same(earlier, new.push)
  if not token or (free and not same) then
    local refusal = new.batch and Batch.refusal(new)
    if refusal then
      return refusal
    end
    local cap = { jobs = new.most_jobs, bytes = new.most_bytes }
    if not add_job(new, any_cancelled and Cancellation.take(new.ref), cap) then
      return 'full'
    end
    if token then
      Once.take_over(new.ref)
    end
    return 'queued'
  end
  -- A second reading of a rejected job cannot be told from a second push. Better two answers than none.
  local answered = (free or not same) and earlier ~= new.push and answer_again(new)
  return answered and 'answered' or 'known'
end

local function enqueue(request)
  local reply, any_cancelled = {}, Cancellation.any()
  for i, new in ipairs(request.jobs) do
    reply[i] = enqueue_one(new, any_cancelled)
  end
  Wakeup.flush()
  return reply
end

local function set_limits(request)
  local before, id = LimitsTable.current(), request.version .. ' ' .. request.digest
  if request.worker then
    LimitsTable.bring(request.worker, id, request.brought)
  end
  if LimitsTable.id() == id then
    return 'same'
  end
  local version = before and tonumber(string.match(before.id, '^%d+'))
  if version and version > request.version then
    return 'older'
  end
  call('SET', Key.limits(), request.table)
  call('HSET', Key.meta(), 'limits', id)
  LimitsTable.use(id)
  Tenant.apply_limits(before)
  Tenant.apply_budgets(before)
  Domain:apply_limits()
  Fleet.recount()
  Module:apply_limits()
  Fleet.wake()
  Wakeup.flush()
  return 'set'
end
