-- enqueue: ARGV: for each job 15 values: id, tenant, priority, context, domain, delay (ms, ''),
-- not before (ms), expires (ms), attempts used, tenant's limits, domain's limits, body, push, callback ('' none),
-- how long it waited already (ms).
-- Replies for each: 1 queued; 0 known already; 2 it has ended, and its result is promised to this push's callback.

local TICKET = 15

-- `cancelled`: its cancellation was acknowledged before it came.
local function enqueue_one(argv, at, cancelled)
  local id = argv[at]
  local job = { t = argv[at + 1], p = argv[at + 2], c = argv[at + 3], d = argv[at + 4] }
  local pushed, expires = NOW - tonumber(argv[at + 14]), tonumber(argv[at + 7])
  local due = pushed
  if argv[at + 5] ~= '' then
    due = pushed + tonumber(argv[at + 5])
  elseif argv[at + 6] ~= '' then
    due = tonumber(argv[at + 6])
  end
  call(
    'HSET', P .. 'job:' .. id,
    't', job.t, 'p', job.p, 'c', job.c, 'd', job.d, 'at', pushed, 'a', argv[at + 8], 'pu', argv[at + 12]
  )
  call('SET', P .. 'body:' .. id, argv[at + 11])
  call('HINCRBY', P .. 'meta', 'jobs', 1)
  Tenant.enrol(job.t)
  Tenant.limit(job.t, argv[at + 9])
  if job.d ~= NO_DOMAIN then
    Domain.enrol(job.d)
    Domain.limit(job.d, argv[at + 10])
  end
  if expires then
    call('HSET', P .. 'job:' .. id, 'e', expires)
    Job.expire_at(id, expires)
  end
  if cancelled then
    Job.condemn(id, 'cancelled')
  elseif due > NOW then
    Job.delay(id, job, due)
  else
    Lane.push(id, job, false, max(pushed, due))
  end
end

-- A push of an id whose job has ended: the result once more, to this push's own callback. True where it is promised.
local function answer_again(id, t, push, url)
  if Push.remember(P .. 'repeated', push) == 'same' then
    return false
  end
  local event = { event = 'duplicate', job_id = Job.own_id(id), tenant_id = t, at = rfc3339(NOW) }
  call('PUBLISH', PREFIX .. ':events:' .. t, cjson.encode(event))
  return Outbox.promise_again(push, id, url)
end

local function enqueue(argv)
  local reply, any_cancelled = {}, Cancellation.any()
  for at = 1, #argv, TICKET do
    local id, push = argv[at], argv[at + 12]
    if call('EXISTS', P .. 'job:' .. id) == 1 then
      reply[#reply + 1] = 0
    else
      local token, earlier, free = Push.ended(id)
      local same = token and Push.is_same(earlier, push)
      if not token or (free and not same) then
        enqueue_one(argv, at, any_cancelled and Cancellation.take(id))
        reply[#reply + 1] = 1
      else
        -- Of a rejected job nobody can tell a second reading from a second push: better told twice than not at all.
        local told = (free or not same) and earlier ~= push and answer_again(id, argv[at + 1], push, argv[at + 13])
        reply[#reply + 1] = told and 2 or 0
      end
    end
  end
  Wakes.flush()
  return reply
end

-- set_limits: ARGV: 't' or 'd', name, limits; repeated.
local function set_limits(argv)
  for at = 1, #argv, 3 do
    local noun, key = Tenant, P .. 'tenant:' .. argv[at + 1]
    if argv[at] == 'd' then
      noun, key = Domain, P .. 'domain:' .. argv[at + 1]
    end
    -- Limits of nobody are not kept: they come again with the next job.
    if call('EXISTS', key) == 1 then
      noun.limit(argv[at + 1], argv[at + 2])
    end
  end
  Wakes.flush()
  return 'OK'
end
