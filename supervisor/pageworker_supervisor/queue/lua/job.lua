-- A job is named by its reference, `<tenant>/<id>`: ids are per tenant. It is what these functions call `id`, in keys,
-- arguments and replies alike.
--
-- A job's record, `job:<id>`, and its JSON, `body:<id>`: apart, so that the record stays small and in one piece of
-- memory (a hash with a long value is neither). They live from enqueue to the result; after that `done:<id>` remembers
-- the job for as long as its result is kept, so that the same id is the same job, unless it was rejected.
--
-- t tenant, p priority, c context, d domain; at first queued, qa queued this time, a attempts used,
-- k crashes, e expires, b 1 once a handler has begun (then it does not expire any more), pu its push,
-- hist past attempts (JSON, one a line)
-- s state: q in a lane, d in `delayed`, r running, v in `verdicts` (vd says which); q its stamp in the lane
-- while leased: tok token, w worker, x entry in `ready`, st started, pm 1 if it holds permits, pf fence
-- cn cancellation was asked for; lt the last token that was given up; mv how often it was moved to another context
-- why the reason for which it was put off, uncharged, while it waits

local CRASHES = 3
local CRASH_BACKOFF_MS = 1000
local MOVES_AT_ONCE = 2
local MOVE_BACKOFF_MS = 500
local LONGEST_MOVE_MS = 30000
local GROUP = 'workers'

-- What its tenant calls the job of this reference.
function Job.own_id(id)
  return string.match(id, '/(.*)$') or ''
end

local FIELDS = { 't', 'p', 'c', 'd', 's', 'q', 'at', 'qa', 'a', 'k', 'tok', 'w', 'x', 'st', 'pm', 'pf', 'cn', 'vd', 'e', 'b', 'hist' }

-- The whole record but for the body, or nil. Where jobs pass in numbers, `waiting` and `ending` read less.
function Job.read(id)
  local f = call('HMGET', P .. 'job:' .. id, unpack(FIELDS))
  if not f[1] then
    return nil
  end
  local job = {}
  for i, name in ipairs(FIELDS) do
    job[name] = f[i]
  end
  return job
end

function Job.body(id)
  return call('GET', P .. 'body:' .. id) or ''
end

-- A job of a lane, with what its lease tells the worker; nil where the entry is void.
function Job.waiting(id, stamp, t, c, d, p)
  local f = call('HMGET', P .. 'job:' .. id, 's', 'q', 'k', 'e', 'at', 'qa', 'a', 'b', 'hist')
  if f[1] ~= 'q' or f[2] ~= stamp then
    return nil
  end
  return {
    t = t, c = c, d = d, p = p,
    q = stamp, k = f[3], e = f[4], at = f[5], qa = f[6], a = f[7], b = f[8], hist = f[9],
  }
end

-- A leased job with what its end needs; nil where this token does not hold it.
function Job.ending(id, token)
  local f = call('HMGET', P .. 'job:' .. id, 'tok', 't', 'p', 'c', 'd', 'x', 'pm', 'pf', 'e', 'cn')
  if f[1] ~= token then
    return nil
  end
  return { tok = token, t = f[2], p = f[3], c = f[4], d = f[5], x = f[6], pm = f[7], pf = f[8], e = f[9], cn = f[10] }
end

-- Milliseconds that are left for its handler to begin, 0 or less once they are over; nil where it does not expire.
function Job.begins_within(job)
  return job.e and not job.b and tonumber(job.e) - NOW or nil
end

-- The job whose lease has this token, or nil; then whether the token was given up already.
function Job.leased(id, token)
  local job = Job.read(id)
  if not job then
    return nil, false
  end
  if job.tok == token then
    return job
  end
  return nil, call('HGET', P .. 'job:' .. id, 'lt') == token
end

-- Not before `due`. Whoever sleeps longer than that is woken, to sleep shorter.
function Job.delay(id, job, due)
  call('HSET', P .. 'job:' .. id, 's', 'd')
  call('ZADD', P .. 'delayed', due, id)
  Listing.add('delayed', id)
  if call('ZRANGE', P .. 'delayed', 0, 0)[1] == id then
    Wakes.rooms()
    Wakes.context(job.t, job.c)
  end
end

-- It is not delayed any more.
function Job.undelay(id)
  if call('ZREM', P .. 'delayed', id) == 1 then
    Listing.remove('delayed', id)
  end
end

-- From now on time ends the job. Whoever sleeps longer than that is woken, to sleep shorter.
function Job.expire_at(id, at)
  call('ZADD', P .. 'expiry', at, id)
  if call('ZRANGE', P .. 'expiry', 0, 0)[1] == id then
    Wakes.anybody()
  end
end

-- The job will not run (again): any worker fetches it to write its result, also one that has no page free.
function Job.condemn(id, verdict)
  call('HSET', P .. 'job:' .. id, 's', 'v', 'vd', verdict)
  call('RPUSH', P .. 'verdicts', id)
  call('ZREM', P .. 'expiry', id)
  Listing.add('verdict', id)
  Wakes.anybody()
end

-- Give back the permits of a lease. What it leaves for the caller: the job's new state.
function Job.release(id, job)
  if job.pm == '1' then
    Tenant.release(job.t)
    if job.d ~= NO_DOMAIN then
      Domain.release(job.d)
    end
    local f = Context.profile(job.c)
    if f then
      Profile.release(job.t, f, job.pf)
    end
  end
end

-- Take a job back from its worker, to be queued again by the caller. Returns false where it has come to its end instead.
-- `begun`: its worker says that a handler had begun; until then a job keeps expiring.
function Job.take_back(id, job, begun)
  Job.release(id, job)
  call('ZREM', P .. 'leases', id)
  call('XACK', P .. 'ready', GROUP, job.x)
  call('XDEL', P .. 'ready', job.x)
  call('HSET', P .. 'job:' .. id, 'lt', job.tok)
  call('HDEL', P .. 'job:' .. id, 'tok', 'w', 'x', 'st', 'pm', 'pf', 'why')
  if job.pm ~= '1' then
    Job.condemn(id, job.vd)
    return false
  end
  if job.cn then
    Job.condemn(id, 'cancelled')
    return false
  end
  if job.e and begun then
    job.b = '1'
    call('HSET', P .. 'job:' .. id, 'b', 1)
  end
  local left = Job.begins_within(job)
  if left and left <= 0 then
    Job.condemn(id, 'expired')
    return false
  end
  if left then
    Job.expire_at(id, job.e)
  end
  return true
end

-- The job's runner or worker died under it.
function Job.crash(id, job, delay, attempt, begun)
  if not Job.take_back(id, job, begun) then
    return
  end
  local key = P .. 'job:' .. id
  Job.remember(id, attempt)
  local crashes = call('HINCRBY', key, 'k', 1)
  if crashes >= CRASHES then
    Job.condemn(id, 'dead')
    return
  end
  job.c = Context.alone(job.c)
  call('HSET', key, 'c', job.c)
  Job.delay(id, job, NOW + delay)
end

-- Its module may reach other hosts than when it was queued: to the front of the context where it belongs now. Where two
-- workers know two versions of the module it would go to and fro; so it soon comes back later each time.
function Job.move(id, job, egress)
  local key = P .. 'job:' .. id
  job.c = Context.with_egress(job.c, egress)
  call('HSET', key, 'c', job.c)
  local moves = call('HINCRBY', key, 'mv', 1)
  if moves <= MOVES_AT_ONCE then
    Lane.push(id, job, true)
  else
    Job.delay(id, job, NOW + min(MOVE_BACKOFF_MS * 2 ^ (moves - MOVES_AT_ONCE - 1), LONGEST_MOVE_MS))
  end
end

function Job.remember(id, attempt)
  local key = P .. 'job:' .. id
  local past = call('HGET', key, 'hist')
  call('HSET', key, 'hist', past and (past .. '\n' .. attempt) or attempt)
end

-- The record goes; `done` says what became of it. `free`: its id may be used again.
function Job.forget(id, job, token, free, ttl)
  local push = call('HGET', P .. 'job:' .. id, 'pu') or ''
  call('DEL', P .. 'job:' .. id, P .. 'body:' .. id)
  call('SET', P .. 'done:' .. id, Push.mark(token, push, free), 'PX', ttl)
  if job.e then
    call('ZREM', P .. 'expiry', id)
  end
  Tenant.discharge(job.t)
  if job.d ~= NO_DOMAIN then
    Domain.discharge(job.d)
  end
end

-- Bounded slices of what is due: expiries first, so that nothing starts that must not.
function Job.promote()
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'expiry', '-inf', NOW, 'LIMIT', 0, SLICE)) do
    call('ZREM', P .. 'expiry', id)
    local job = Job.read(id)
    if job and (job.s == 'q' or job.s == 'd') then
      Job.undelay(id)
      Job.condemn(id, 'expired')
    end
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'delayed', '-inf', NOW, 'LIMIT', 0, SLICE)) do
    local job = Job.read(id)
    if job and job.s == 'd' then
      Job.undelay(id)
      Lane.push(id, job)
    else
      call('ZREM', P .. 'delayed', id)
    end
  end
end

-- Everything that time alone brings about.
local function advance()
  Profile.expire()
  Timers.run()
  Job.promote()
end
