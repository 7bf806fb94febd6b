-- claim: the next jobs for one worker, in the order of fairness, as far as it has places for them.
--
-- ARGV: worker, nonce, limit, rooms, pages a room, quiet (0 or 1), then for each warm context:
-- tenant, context, free pages, idle (1: taking a job there uses up a room; 2: it has no runner, its jobs are answered).
-- Replies: leases, wanted contexts, milliseconds until time brings something (-1 never), profiles not held (any
-- more), rooms left.
--
-- The nonce makes it repeatable: the same call again brings the same leases.

local VERDICTS_AT_MOST = 16
local REPLAY_MS = 60000
local WANTED = 4

-- One step for the tenant whose turn it is: a lease, or a lane out of the way, or the tenant out of this call.
function Claim:serve(t, start)
  local who = Tenant.read(t)
  if Limits.barred(who) then
    Tenant.settle(t)
    self.barred[t] = true
    return
  end
  local there, several = self:choices(t, who.op, self.rooms)
  if not next(there) then
    self.barred[t] = true
    return
  end
  local p, turns = Tenant.turn(who.rr, there)
  local c = there[p]
  local lanes = call('ZRANGE', Context.key(t, c, p), 0, 1)
  local d = lanes[1]
  if not d then
    error('context without a lane: ' .. Context.key(t, c, p))
  end
  local domain = nil
  if d ~= NO_DOMAIN then
    domain = Domain.read(d)
    local why, at = Limits.barred(domain)
    if why then
      self.budget = self.budget - 1
      Domain.park(t, c, d, why, at)
      return
    end
  end
  local id, job
  id, job, self.budget = Lane.pop(t, c, d, p, self.budget)
  local place = self:find(t, c)
  if id and job.k and Context.profile(c) and place and place.free < self.pages and not place.refused then
    -- It must run alone. Nothing else enters this context before it is empty.
    Lane.unpop(id, job)
    place.free = 0
    return
  end
  self:turn_over(t, c, d, p, #lanes > 1, several[p] or self.rivals[t] or self.rooms == 0)
  if id then
    who.rr = turns
    self:grant(who, start, c, domain, id, job, place)
  end
end

-- The lane and the context had their turn. Whoever is alone is always next.
function Claim:turn_over(t, c, d, p, lanes, contexts)
  if call('EXISTS', Lane.key(t, c, d, p)) == 0 then
    Context.drop_lane(t, c, d, p)
    Listing.remove_lane(t, c, d, p)
  elseif lanes or Context.profile(c) then
    call('ZADD', Context.key(t, c, p), 'XX', Shard.stamp(), d)
  end
  if contexts then
    call('ZADD', P .. 'open:' .. t .. ':' .. p, 'XX', Shard.stamp(), c)
  end
end

function Claim:grant(who, start, c, domain, id, job, place)
  local t = who.name
  Limits.take(who)
  who.v = start + 1 / who.weight
  if who.rate > 0 then
    call('HSET', P .. 'tenant:' .. t, 'run', who.run, 'v', who.v, 'rr', who.rr, 'tk', who.tk, 'ts', who.ts)
  else
    call('HSET', P .. 'tenant:' .. t, 'run', who.run, 'v', who.v, 'rr', who.rr)
  end
  call('ZADD', P .. 'active', 'XX', who.v, t)
  if domain then
    Domain.take(domain)
  end
  local fence = self:settle_in(t, c, place, job.k)
  local f = Context.profile(c)
  if f and not (place and place.refused) then
    Profile.take(t, f, c)
  end
  if self.start[t] then
    self.start[t] = who.v
  end
  self.virtual = max(self.virtual or 0, start)
  if job.e then
    call('ZREM', P .. 'expiry', id)
  end
  self:lease(id, job, '1', fence)
  if Limits.barred(who) then
    Tenant.settle(t)
    self.barred[t] = true
  end
end

-- The pending entry is the lease; everything else about it hangs on the token. The entry's id is the counter in the
-- token, the nonce keeps it apart from tokens that a failover took back.
function Claim:lease(id, job, permits, fence)
  job.x = call('XADD', P .. 'ready', '*', 'job', id)
  job.tok = job.x .. '-' .. self.nonce
  job.pm, job.pf = permits, fence
  call(
    'HSET', P .. 'job:' .. id,
    's', 'r', 'tok', job.tok, 'w', self.worker, 'x', job.x, 'st', NOW, 'pm', permits, 'pf', fence
  )
  self.leases[#self.leases + 1] = { id, job }
end

-- Jobs that only need their result written take no page.
function Claim:take_verdicts()
  for _ = 1, VERDICTS_AT_MOST do
    local id = call('LPOP', P .. 'verdicts')
    if not id then
      return
    end
    local job = Job.read(id)
    if job and job.s == 'v' then
      Listing.remove('verdict', id)
      self:lease(id, job, '0', '')
    end
  end
  self.more = true
end

-- Read what was added, so that it is pending with this worker; and note until when.
function Claim:pend()
  local ready, own, due, ids = P .. 'ready', {}, {}, {}
  for i, lease in ipairs(self.leases) do
    own[lease[2].x] = true
    ids[i] = lease[1]
    due[2 * i - 1], due[2 * i] = NOW + LEASE_MS, lease[1]
  end
  call('ZADD', P .. 'leases', unpack(due))
  call('ZADD', P .. 'workers', NOW, self.worker)
  call('SET', P .. 'claimed:' .. self.worker, self.nonce .. ' ' .. table.concat(ids, ' '), 'PX', REPLAY_MS)
  local read = redis.pcall('XREADGROUP', 'GROUP', GROUP, self.worker, 'STREAMS', ready, '>')
  if type(read) == 'table' and read.err then
    local ms, n = string.match(self.leases[1][2].x, '^(%d+)-(%d+)$')
    local before = n ~= '0' and ms .. '-' .. (tonumber(n) - 1) or (tonumber(ms) - 1) .. '-18446744073709551615'
    call('XGROUP', 'CREATE', ready, GROUP, before)
    read = call('XREADGROUP', 'GROUP', GROUP, self.worker, 'STREAMS', ready, '>')
  end
  for _, entry in ipairs(#read[1][2] > #ids and read[1][2] or {}) do
    if not own[entry[1]] then -- no claim made it: nobody owns it
      call('XACK', ready, GROUP, entry[1])
      call('XDEL', ready, entry[1])
    end
  end
end

-- Contexts of profiles that are open here with other hosts, and that have work.
function Claim:other_sets()
  local found = {}
  for t, places in pairs(self.mine) do
    for _, place in ipairs(places) do
      for _, c in ipairs(place.f and place.free >= 0 and Profile.contexts(t, place.f) or {}) do
        if c ~= place.c and not call('HGET', P .. 'tenant:' .. t, 'pk') then
          found[#found + 1] = { t, c }
        end
      end
    end
  end
  return found
end

-- Contexts that are next in fairness and have no place on this worker. A claim that brought all it asked for is followed
-- by another at once, which tells.
function Claim:wanted()
  local wanted = self.quiet and {} or self:other_sets()
  if self.rooms > 0 or self.quiet or (#self.leases > 0 and #self.leases >= self.limit) then
    return wanted
  end
  for _, t in ipairs(call('ZRANGE', P .. 'active', 0, WANTED - 1)) do
    local who = Tenant.read(t)
    local there = self:choices(t, who.op, 1)
    if next(there) then
      local p = Tenant.turn(who.rr, there)
      if not self:find(t, there[p]) then
        wanted[#wanted + 1] = { t, there[p] }
      end
    end
  end
  return wanted
end

function Claim:close()
  if #self.leases > 0 then
    self:pend()
  end
  if self.virtual then
    call('HSET', P .. 'meta', 'v', max(self.virtual, number(call('HGET', P .. 'meta', 'v'))))
  end
  if self.rooms > 0 and #self.leases < self.limit and not self.quiet then
    Profile.ask(self.worker)
  end
  if #self.leases > 0 or self.rooms == 0 then
    Wakes.pass_on(self.full)
  end
  Wakes.flush_rest(self.worker)
end

-- Milliseconds until the worker should look again by itself.
function Claim:soon()
  if self.budget <= 0 or self.more then
    return 0
  end
  local at = 0
  if #self.leases >= self.limit then
    -- Another claim follows one that brought all it asked for. A worker that is full ends what expires.
    at = self.limit == 0 and Timers.head('expiry') or 0
  else
    at = Timers.next()
  end
  return at == 0 and -1 or max(0, at - NOW)
end

local function lease_row(id, job)
  return {
    id, job.c, job.tok, Job.body(id), number(job.a), number(job.k), job.pf, job.pm == '0' and job.vd or '',
    NOW - number(job.qa or job.at), NOW - number(job.at), job.hist or '', job.p, Job.begins_within(job) or '',
  }
end

function Claim:reply()
  local rows = {}
  for i, lease in ipairs(self.leases) do
    rows[i] = lease_row(lease[1], lease[2])
  end
  return { rows, self:wanted(), self:soon(), self.lost, self.rooms }
end

-- The same call again: its reply was lost. What else there is, the next claim finds: it is due at once.
function Claim.replay(worker, nonce)
  local text = call('GET', P .. 'claimed:' .. worker)
  if not text or string.sub(text, 1, #nonce + 1) ~= nonce .. ' ' then
    return nil
  end
  local rows = {}
  for id in string.gmatch(string.sub(text, #nonce + 2), '%S+') do
    local job = Job.read(id)
    if job and job.tok and string.sub(job.tok, -#nonce - 1) == '-' .. nonce then
      rows[#rows + 1] = lease_row(id, job)
    end
  end
  return { rows, {}, 0, {}, 0 }
end

-- True where the shard has nothing that any claim could change: idle workers ask often, and shall cost little.
function Claim.is_quiet(argv)
  for at = 7, #argv, 4 do
    if Context.profile(argv[at + 1]) then
      return false
    end
  end
  return call(
    'EXISTS', P .. 'active', P .. 'verdicts', P .. 'delayed', P .. 'timers', P .. 'expiry', P .. 'locks'
  ) == 0
end

local function claim(argv)
  local replayed = Claim.replay(argv[1], argv[2])
  if replayed then
    return replayed
  end
  if Claim.is_quiet(argv) then
    return { {}, {}, -1, {}, tonumber(argv[4]) }
  end
  advance()
  local self = Claim.open(argv)
  self:take_verdicts()
  self.limit = self.limit + #self.leases
  while #self.leases < self.limit and self.budget > 0 do
    local t, start = self:next_tenant()
    if not t then
      break
    end
    self:serve(t, start)
  end
  self:close()
  return self:reply()
end
