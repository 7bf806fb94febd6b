-- A backlog: the waiting jobs of one tenant, context, domain and priority, first in, first out. An entry is
-- `<stamp> <job>`. The stamp tells a void entry, one whose job is elsewhere by now (cancelled, expired). Void entries are
-- dropped when they reach the front, so taking a job out of the middle costs nothing.
--
-- Used by: fn_claim, fn_enqueue, fn_lease, job.

local NO_DOMAIN = '-' -- of a job without a domain; no host name

-- Queue a job. `front`: it goes back to the front, where it was before. `since`: from when on it could have run.
function Backlog.push(id, job, event, front, since)
  local stamp = Shard.stamp()
  Job.transition(id, job, event, 'backlog_stamp', stamp, 'queued_at', since or NOW)
  local tenant, context, domain, priority = job.tenant, job.context, job.domain, job.priority
  local key = Key.backlog(tenant, context, domain, priority)
  if call(front and 'LPUSH' or 'RPUSH', key, stamp .. ' ' .. id) > 1 then
    return
  end
  Listing.add_backlog(tenant, context, domain, priority)
  if domain == NO_DOMAIN or not Domain.is_parked(tenant, context, domain) then
    Context.add_backlog(tenant, context, domain, priority, stamp)
  end
end

-- Take the first job whose entry is not void; look at no more than `budget` entries. Returns its id, its record and the
-- budget that is left.
function Backlog.pop(tenant, context, domain, priority, budget)
  local key = Key.backlog(tenant, context, domain, priority)
  while budget > 0 do
    local entry = call('LPOP', key)
    if not entry then
      return nil, nil, budget
    end
    budget = budget - 1
    local stamp, id = string.match(entry, '^(%d+) (.*)$')
    local job = Job.read_queued(id, stamp, tenant, context, domain, priority)
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
function Backlog.unpop(id, job)
  local key = Key.backlog(job.tenant, job.context, job.domain, job.priority)
  call('LPUSH', key, job.backlog_stamp .. ' ' .. id)
end
