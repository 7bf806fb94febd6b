-- enqueue: ARGV: for each job 12 values: id, tenant, priority, context, domain, delay (ms, ''),
-- not before (ms), expires (ms), attempts used, tenant's limits, domain's limits, body.
-- Replies 1 (queued) or 0 (known already) for each.

local TICKET = 12

local function known(id)
  return call('EXISTS', P .. 'job:' .. id, P .. 'done:' .. id) > 0
end

local function enqueue_one(argv, at)
  local id = argv[at]
  local job = { t = argv[at + 1], p = argv[at + 2], c = argv[at + 3], d = argv[at + 4] }
  local due, expires = NOW, tonumber(argv[at + 7])
  if argv[at + 5] ~= '' then
    due = NOW + tonumber(argv[at + 5])
  elseif argv[at + 6] ~= '' then
    due = tonumber(argv[at + 6])
  end
  call(
    'HSET', P .. 'job:' .. id,
    't', job.t, 'p', job.p, 'c', job.c, 'd', job.d, 'at', NOW, 'a', argv[at + 8]
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
    call('ZADD', P .. 'expiry', expires, id)
  end
  if due > NOW then
    Job.delay(id, job, due)
  else
    Lane.push(id, job)
  end
end

local function enqueue(argv)
  local reply = {}
  for at = 1, #argv, TICKET do
    local fresh = not known(argv[at])
    if fresh then
      enqueue_one(argv, at)
    end
    reply[#reply + 1] = fresh and 1 or 0
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
