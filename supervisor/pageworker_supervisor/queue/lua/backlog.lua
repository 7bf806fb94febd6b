-- A lane: the waiting jobs of one tenant, context, domain and priority, first in, first out. An entry is
-- `<stamp> <job id>`; it is void once its job is elsewhere (cancelled, expired), which the stamp tells. Voids are
-- passed over when they reach the front, so taking a job out of the middle costs nothing.

local NO_DOMAIN = '-' -- a lane without a domain; no host name

function Lane.key(t, c, d, p)
  return P .. 'lane:' .. t .. '/' .. c .. '/' .. d .. ':' .. p
end

-- Queue a job. `front`: it was handed back and was here before all others. `since`: from when on it could have run.
function Lane.push(id, job, front, since)
  local stamp = Shard.stamp()
  call('HSET', P .. 'job:' .. id, 's', 'q', 'q', stamp, 'qa', since or NOW)
  local length = call(front and 'LPUSH' or 'RPUSH', Lane.key(job.t, job.c, job.d, job.p), stamp .. ' ' .. id)
  if length == 1 then
    Listing.add_lane(job.t, job.c, job.d, job.p)
  end
  if length == 1 and not (job.d ~= NO_DOMAIN and Domain.is_parked(job.t .. '/' .. job.c .. '/' .. job.d, job.d)) then
    Context.add_lane(job.t, job.c, job.d, job.p, stamp)
  end
end

-- Take the first job that is not void, at most `budget` entries on. Returns its id, its record and the budget left.
function Lane.pop(t, c, d, p, budget)
  local key = Lane.key(t, c, d, p)
  while budget > 0 do
    local entry = call('LPOP', key)
    if not entry then
      return nil, nil, budget
    end
    budget = budget - 1
    local stamp, id = string.match(entry, '^(%d+) (.*)$')
    local job = Job.waiting(id, stamp, t, c, d, p)
    if job and (Job.begins_within(job) or 1) > 0 then
      return id, job, budget
    end
    if job then -- more expired at once than one call ends
      call('ZREM', P .. 'expiry', id)
      Job.condemn(id, 'expired')
    end
  end
  return nil, nil, 0
end

-- Undo a pop.
function Lane.unpop(id, job)
  call('LPUSH', Lane.key(job.t, job.c, job.d, job.p), job.q .. ' ' .. id)
end
