-- A backlog: the waiting jobs of one tenant, context, limit key (see shared_quota.lua) and priority, first in, first out.
-- Jobs with a domain alone, and jobs of a module with limits, are in backlogs of their own. An entry is
-- `<stamp> <job>`. The stamp tells a void entry, one whose job is elsewhere by now (cancelled, expired). Void entries are
-- dropped when they reach the front, so taking a job out of the middle costs nothing.
--
-- Used by: fn_claim, fn_enqueue, fn_lease, job.

-- Queue a job. `front`: it goes back to the front, where it was before. `since`: from when on it could have run.
function Backlog.push(id, job, event, front, since)
  local stamp = Shard.stamp()
  Job.transition(id, job, event, 'backlog_stamp', stamp, 'queued_at', since or NOW)
  Backlog.add_entry(id, job, LimitKey.of(job.domain, Module.separate(id, job)), stamp, front)
end

function Backlog.add_entry(id, job, limit_key, stamp, front)
  local tenant, context, priority = job.tenant, job.context, job.priority
  local key = Key.backlog(tenant, context, limit_key, priority)
  if call(front and 'LPUSH' or 'RPUSH', key, stamp .. ' ' .. id) > 1 then
    return
  end
  Listing.add_backlog(tenant, context, limit_key, priority)
  if not LimitKey.is_parked(tenant, context, limit_key) then
    Context.add_backlog(tenant, context, limit_key, priority, stamp)
  end
end

-- A job that was taken from its backlog goes to that of its module, behind those that are there.
function Backlog.move(id, job, limit_key)
  local stamp = Shard.stamp()
  call('HSET', Key.job(id), 'backlog_stamp', stamp, 'module', job.module)
  Backlog.add_entry(id, job, limit_key, stamp, false)
end

-- Take the first job whose entry is not void; look at no more than `budget` entries. Returns its id, its record and the
-- budget that is left.
function Backlog.pop(tenant, context, limit_key, priority, budget)
  local key = Key.backlog(tenant, context, limit_key, priority)
  while budget > 0 do
    local entry = call('LPOP', key)
    if not entry then
      return nil, nil, budget
    end
    budget = budget - 1
    local stamp, id = string.match(entry, '^(%d+) (.*)$')
    local job = Job.read_queued(id, stamp, tenant, context, LimitKey.parse(limit_key), priority)
    if job and (Job.begins_within(job) or 1) > 0 then
      return id, job, budget
    end
    if job then -- more jobs expired at once than one call ends
      Job.mark_ending(id, job, Event.EXPIRE, 'expired')
    end
  end
  return nil, nil, 0
end

-- Undo a pop.
function Backlog.unpop(id, job, limit_key)
  local key = Key.backlog(job.tenant, job.context, limit_key, job.priority)
  call('LPUSH', key, job.backlog_stamp .. ' ' .. id)
end
