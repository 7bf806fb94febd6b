-- The end of a job: its one result, stored together with the promise to deliver it.

-- How results are kept. `key` 0: keys without a hash tag are on other nodes (Redis Cluster); the result waits in
-- `kept:<id>`, and whoever finishes (or the outbox, should that one die) writes the key of the result.
local function terms(argv, at)
  return {
    ttl = tonumber(argv[at]),
    length = argv[at + 1],
    dead_length = tonumber(argv[at + 2]),
    dead_bytes = tonumber(argv[at + 3]),
    key = argv[at + 4] == '1',
  }
end

-- `<prefix>:result:<tenant>:<id>`.
local function result_key(id)
  return PREFIX .. ':result:' .. string.gsub(id, '/', ':', 1)
end

-- A promise is named by the token (or the digest of the rejected text) that made it.
function Outbox.promise(name, id, url, result, put)
  call(
    'HSET', P .. 'promise:' .. name,
    'j', id, 'u', url, 'r', result, 'n', 0, 'at', NOW, 'put', put and 1 or 0
  )
  call('ZADD', P .. 'outbox', NOW, name)
end

-- The result of a job that has ended, nil where it is not kept any more.
local function stored(id)
  return call('GET', CLUSTER and P .. 'kept:' .. id or result_key(id)) or nil
end

-- The stored result to one more callback. False where there is no callback or no result.
function Outbox.promise_again(name, id, url)
  local result = url ~= '' and stored(id)
  if not result then
    return false
  end
  Outbox.promise(name, id, url, result, false)
  return true
end

local function store(name, id, t, result, url, terms_)
  call('XADD', P .. 'results', 'MAXLEN', '~', terms_.length, '*', 'result', result)
  call('PUBLISH', PREFIX .. ':results:' .. t, result)
  if terms_.key then
    call('SET', result_key(id), result, 'PX', terms_.ttl)
  else
    call('SET', P .. 'kept:' .. id, result, 'PX', terms_.ttl)
  end
  if url ~= '' or not terms_.key then
    Outbox.promise(name, id, url, result, not terms_.key)
  end
end

local function bury(id, t, job_text, letter, reason, ticket, terms_)
  local entry = call(
    'XADD', P .. 'dead', '*',
    'job', job_text, 'job_id', Job.own_id(id), 'tenant_id', t, 'reason', reason, 'letter', letter, 'ticket', ticket
  )
  Letters.add(entry, t, #job_text + #letter + #ticket, terms_)
end

-- Everything needed to queue the job again: priority, context, domain, limits.
local function ticket_of(job)
  return cjson.encode({
    p = job.p,
    c = job.c,
    d = job.d,
    tenant = call('HGET', P .. 'tenant:' .. job.t, 'lim') or '',
    domain = call('HGET', P .. 'domain:' .. job.d, 'lim') or '',
  })
end

-- finish: ARGV: terms (5), then for each job: id, token, status, result, callback ('' none), dead letter ('' none),
-- number of events, events. Replies for each: 1 this is the job's result; 0 the lease was lost; 2 nothing was stored, a
-- cancellation was acknowledged before: the job ends as `cancelled`.
local function finish(argv)
  local terms_ = terms(argv, 1)
  local reply, entries, ended = {}, {}, {}
  local at = 6
  while at <= #argv do
    local id, token, status, result = argv[at], argv[at + 1], argv[at + 2], argv[at + 3]
    local url, letter, events = argv[at + 4], argv[at + 5], tonumber(argv[at + 6])
    local job = Job.ending(id, token)
    if not job then
      reply[#reply + 1] = Push.ended(id) == token and 1 or 0
    elseif job.cn and job.pm == '1' and status ~= 'cancelled' then
      reply[#reply + 1] = 2
    else
      Job.release(id, job)
      store(token, id, job.t, result, url, terms_)
      if letter ~= '' then
        bury(id, job.t, Job.body(id), letter, status, ticket_of(job), terms_)
      end
      for i = 1, events do
        call('PUBLISH', PREFIX .. ':events:' .. job.t, argv[at + 6 + i])
      end
      Job.forget(id, job, token, status == 'rejected', terms_.ttl)
      entries[#entries + 1] = job.x
      ended[#ended + 1] = id
      reply[#reply + 1] = 1
    end
    at = at + 7 + events
  end
  if #ended > 0 then
    call('HINCRBY', P .. 'meta', 'jobs', -#ended)
    call('ZREM', P .. 'leases', unpack(ended))
    call('XACK', P .. 'ready', GROUP, unpack(entries))
    call('XDEL', P .. 'ready', unpack(entries))
  end
  Wakes.flush()
  return reply
end

-- reject: ARGV: terms (5), push, text, reason, letter, id ('' unreadable), tenant, result, callback,
-- event. The same text within ten minutes is one dead letter; an id that is used keeps what it has, and one that is not
-- stays free. Replies 1 if the result is the one that is stored.

local function reject(argv)
  local terms_ = terms(argv, 1)
  local push, text, reason, letter = argv[6], argv[7], argv[8], argv[9]
  local id, t, result, url, event = argv[10], argv[11], argv[12], argv[13], argv[14]
  local seen = Push.remember(P .. 'rejected', push)
  if seen == 'new' then
    bury(id, t, text, letter, reason, '', terms_)
  end
  if id == '' or result == '' then
    return 0
  end
  if seen == 'same' then
    return stored(id) == result and 1 or 0
  end
  if event ~= '' then
    call('PUBLISH', PREFIX .. ':events:' .. t, event)
  end
  if Push.is_used(id) then
    return 0
  end
  if seen == 'again' and stored(id) == result then
    Outbox.promise_again(push, id, url)
  else
    store(push, id, t, result, url, terms_)
  end
  return 1
end

-- cancel: ARGV: id, how long to remember it (ms) where the job is not known.
-- Replies: `cancelled`, `cancelling` (its worker is told), `awaited` (not known; should it come, it is cancelled),
-- `finished` (it has its result, or only that is left to be written), `unknown` (no such job, and no room to remember it).
-- After any of the first three the job ends as `cancelled`.
local function cancel(argv)
  local id = argv[1]
  local job = Job.read(id)
  if not job and Push.is_used(id) then
    return 'finished'
  end
  if not job then
    return Cancellation.remember(id, tonumber(argv[2])) and 'awaited' or 'unknown'
  end
  if job.s == 'q' or job.s == 'd' then
    Job.undelay(id)
    Job.condemn(id, 'cancelled')
    Wakes.flush()
    return 'cancelled'
  end
  if job.s == 'v' or job.pm ~= '1' then
    return job.vd == 'cancelled' and 'cancelled' or 'finished'
  end
  call('HSET', P .. 'job:' .. id, 'cn', 1)
  Wakes.tell(job.w, 'cancel ' .. id .. ' ' .. job.tok)
  return 'cancelling'
end
