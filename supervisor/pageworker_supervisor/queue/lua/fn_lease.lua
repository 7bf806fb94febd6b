-- What a worker does with a lease other than ending its job. Each compares the token, and answers the same when it is
-- said twice: 1 done, 0 the lease is not (any more) the caller's.

-- heartbeat: ARGV: worker, number of leases, (id, token) each, then (tenant, profile, fence) each.
-- Replies: lost tokens, tokens to cancel, numbers of lost profiles, numbers of profiles asked for (from 1).
local function heartbeat(argv)
  local lost, cancelled, lost_profiles, asked = {}, {}, {}, {}
  local count = tonumber(argv[2])
  for i = 1, count do
    local id, token = argv[1 + 2 * i], argv[2 + 2 * i]
    local f = call('HMGET', P .. 'job:' .. id, 'tok', 'cn')
    if f[1] ~= token then
      lost[#lost + 1] = token
    else
      call('ZADD', P .. 'leases', NOW + LEASE_MS, id)
      if f[2] then
        cancelled[#cancelled + 1] = token
      end
    end
  end
  local nth = 0
  for at = 3 + 2 * count, #argv, 3 do
    nth = nth + 1
    local t, c = argv[at], argv[at + 1]
    local worker, fence, ask = Profile.holder(t, c)
    if worker ~= argv[1] or fence ~= argv[at + 2] then
      lost_profiles[#lost_profiles + 1] = nth
    else
      call('ZADD', P .. 'locks', NOW + LEASE_MS, t .. '/' .. c)
      if ask then
        asked[#asked + 1] = nth
      end
    end
  end
  call('ZADD', P .. 'workers', NOW, argv[1])
  return { lost, cancelled, lost_profiles, asked }
end

local function publish(t, argv, from)
  for at = from, #argv do
    call('PUBLISH', PREFIX .. ':events:' .. t, argv[at])
  end
end

-- Enter, find the leased job, do `act` with it.
local function with_lease(argv, act)
  local id, token = argv[1], argv[2]
  local job, given_up = Job.leased(id, token)
  if not job then
    return given_up and 1 or 0
  end
  act(id, job)
  Wakes.flush()
  return 1
end

-- begin: ARGV: id, token. A handler of this job has begun: it does not expire any more.
local function begin(argv)
  local key = P .. 'job:' .. argv[1]
  if call('HGET', key, 'tok') ~= argv[2] then
    return 0
  end
  call('HSET', key, 'b', 1)
  return 1
end

-- In what follows `begun` is 1 where a handler had begun in this lease, else 0.

-- retry: ARGV: id, token, begun, delay (ms), attempt (JSON), events. The attempt is used up.
local function retry(argv)
  return with_lease(argv, function(id, job)
    if Job.take_back(id, job, argv[3] == '1') then
      Job.remember(id, argv[5])
      call('HINCRBY', P .. 'job:' .. id, 'a', 1)
      Job.delay(id, job, NOW + tonumber(argv[4]))
      publish(job.t, argv, 6)
    end
  end)
end

-- crash: ARGV: id, token, begun, delay (ms), attempt (JSON), events. Its runner died: not charged, but counted.
local function crash(argv)
  return with_lease(argv, function(id, job)
    Job.crash(id, job, tonumber(argv[4]), argv[5], argv[3] == '1')
    publish(job.t, argv, 6)
  end)
end

-- defer: ARGV: id, token, begun, delay (ms), reason. Nothing is charged.
local function defer(argv)
  return with_lease(argv, function(id, job)
    if Job.take_back(id, job, argv[3] == '1') then
      call('HSET', P .. 'job:' .. id, 'why', argv[5])
      Job.delay(id, job, NOW + tonumber(argv[4]))
    end
  end)
end

-- give_back: ARGV: id, token, begun. To the front, uncharged.
local function give_back(argv)
  return with_lease(argv, function(id, job)
    if Job.take_back(id, job, argv[3] == '1') then
      Lane.push(id, job, true)
    end
  end)
end

-- reassign: ARGV: id, token, digest of hosts. To the context where it belongs with these, uncharged.
local function reassign(argv)
  return with_lease(argv, function(id, job)
    if Job.take_back(id, job) then
      Job.move(id, job, argv[3])
    end
  end)
end

-- release_profile: ARGV: worker, tenant, profile, fence.
local function release_profile(argv)
  local worker, fence = Profile.holder(argv[2], argv[3])
  if worker ~= argv[1] or fence ~= argv[4] then
    return 0
  end
  Profile.unlock(argv[2], argv[3])
  Wakes.flush()
  return 1
end

-- A lease whose worker is gone. The job comes back after a while, and its tenant is told.
local function lose(id, job, jitter)
  local attempt = {
    attempt = number(job.a) + 1,
    started_at = rfc3339(tonumber(job.st)),
    duration_seconds = (NOW - tonumber(job.st)) / 1000,
    outcome = 'lost',
    worker_id = job.w,
  }
  local delay = CRASH_BACKOFF_MS * 2 ^ number(job.k) * (0.5 + jitter / 2)
  Job.crash(id, job, floor(delay), cjson.encode(attempt))
  if job.pm == '1' then
    local event = {
      event = 'worker_lost', job_id = Job.own_id(id), tenant_id = job.t, at = rfc3339(NOW),
      attempt = attempt.attempt, worker_id = job.w,
    }
    publish(job.t, { cjson.encode(event) }, 1)
  end
end

-- reap: ARGV: most leases to take, jitter (0 to 1). Replies: number taken, workers that lost them.
local function reap(argv)
  local workers, seen, count = {}, {}, 0
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'leases', '-inf', NOW, 'LIMIT', 0, argv[1])) do
    local job = Job.read(id)
    count = count + 1
    if not job or not job.tok then
      call('ZREM', P .. 'leases', id)
    else
      if not seen[job.w] then
        seen[job.w] = true
        workers[#workers + 1] = job.w
      end
      lose(id, job, tonumber(argv[2]))
    end
  end
  advance()
  Shard.forget_silent()
  Wakes.flush()
  return { count, workers }
end
