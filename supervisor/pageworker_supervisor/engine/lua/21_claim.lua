-- claim: the next jobs for one worker, in the order of fairness, as far as it has places for them.
--
-- KEYS[1] root. ARGV: worker, nonce, limit, rooms, pages a room, quiet (0 or 1), then for each warm context:
-- tenant, context, free pages, idle (1: taking a job there uses up a room).
-- Replies: leases, wanted contexts, milliseconds until time brings something (-1 never), profiles not held (any
-- more), rooms left.
--
-- The nonce makes it repeatable: the same call again brings the same leases.

local STEPS = 256 -- lanes looked at and void entries passed over in one call
local VERDICTS_AT_MOST = 16
local REPLAY_MS = 60000
local WANTED = 4

local Claim = {}
Claim.__index = Claim

function Claim.open(argv)
  local self = setmetatable({
    worker = argv[1],
    nonce = argv[2],
    limit = tonumber(argv[3]),
    rooms = tonumber(argv[4]),
    pages = tonumber(argv[5]),
    quiet = argv[6] == '1',
    budget = STEPS,
    leases = {},
    entries = {}, -- of this call in `ready`
    mine = {}, -- tenant: list of places
    start = {}, -- tenant with work in a place of ours: its virtual start time
    barred = {}, -- tenants that cannot be served (any more) in this call
    rivals = {}, -- tenants of whose profiles we hold one
    served = {}, -- tenants whose ephemeral context got a job
    lost = {},
  }, Claim)
  for at = 7, #argv, 4 do
    self:hold(argv[at], argv[at + 1], tonumber(argv[at + 2]), argv[at + 3] == '1')
  end
  return self
end

-- A warm context of the worker. A profile whose lock it does not hold is none of its places.
function Claim:hold(t, c, free, idle)
  if Context.is_profile(c) then
    self.rivals[t] = true
    if Profile.holder(t, c) ~= self.worker then
      self.lost[#self.lost + 1] = { t, c }
      free = -1
    end
  end
  self:place(t, c, free, idle)
end

function Claim:place(t, c, free, idle)
  local places = self.mine[t] or {}
  self.mine[t] = places
  local place = { c = c, free = free, idle = idle }
  places[#places + 1] = place
  if free > 0 and Context.has_work(t, c) then
    self.start[t] = tonumber(call('ZSCORE', P .. 'active', t) or max(Tenant.read(t).v, Tenant.virtual_time()))
  end
  return place
end

function Claim:find(t, c)
  for _, place in ipairs(self.mine[t] or {}) do
    if place.c == c and place.free > 0 and (not place.idle or self.rooms > 0) then
      return place
    end
  end
  return nil
end

function Claim:is_stale(t, c)
  for _, place in ipairs(self.mine[t] or {}) do
    if place.c == c and place.free < 0 then
      return true
    end
  end
  return false
end

-- The tenant whose turn it is: the one that is furthest behind, of those that have a place.
function Claim:next_tenant()
  local best, first = nil, nil
  for t, v in pairs(self.start) do
    if not self.barred[t] and (not best or v < first or (v == first and t < best)) then
      best, first = t, v
    end
  end
  local skip = 0
  while self.rooms > 0 and self.budget > 0 do
    local head = call('ZRANGE', P .. 'active', skip, skip, 'WITHSCORES')
    if not head[1] then
      break
    end
    if not self.barred[head[1]] then
      if not best or tonumber(head[2]) <= first then
        return head[1], tonumber(head[2])
      end
      break
    end
    skip = skip + 1
    self.budget = self.budget - 1
  end
  return best, first
end

-- The context that is next at each priority, of those that have a place: {priority: context}.
function Claim:choices(t, rooms)
  local there, since = {}, {}
  for _, p in ipairs(PRIORITIES) do
    if rooms > 0 then
      local open = call('ZRANGE', P .. 'open:' .. t .. ':' .. p, 0, #self.lost + #(self.mine[t] or {}), 'WITHSCORES')
      for i = 1, #open, 2 do
        if not self:is_stale(t, open[i]) then
          there[p], since[p] = open[i], tonumber(open[i + 1])
          break
        end
      end
    end
    for _, place in ipairs(self.mine[t] or {}) do
      local c = place.c
      if self:find(t, c) == place then
        local at
        if Context.is_profile(c) then
          at = call('ZRANGE', Context.key(t, c, p), 0, 0, 'WITHSCORES')[2]
        else
          at = call('ZSCORE', P .. 'open:' .. t .. ':' .. p, c)
        end
        if at and (not there[p] or tonumber(at) < since[p]) then
          there[p], since[p] = c, tonumber(at)
        end
      end
    end
  end
  return there
end

-- One step for the tenant whose turn it is: a lease, or a lane out of the way, or the tenant out of this call.
function Claim:serve(t, start)
  local who = Tenant.read(t)
  if Limits.barred(who) then
    Tenant.settle(t, who)
    self.barred[t] = true
    return
  end
  local there = self:choices(t, self.rooms)
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
      Tenant.leave(t)
      return
    end
  end
  local id, job
  id, job, self.budget = Lane.pop(t, c, d, p, self.budget)
  local place = self:find(t, c)
  if id and job.k and Context.is_profile(c) and place and place.free < self.pages then
    -- It must run alone. Nothing else enters this context before it is empty.
    Lane.unpop(id, job)
    place.free = 0
    return
  end
  self:turn_over(t, c, d, p, #lanes > 1)
  if id then
    who.rr = turns
    self:grant(who, start, c, domain, id, job, place)
  end
  Tenant.leave(t)
end

-- The lane and the context had their turn.
function Claim:turn_over(t, c, d, p, others)
  if call('EXISTS', Lane.key(t, c, d, p)) == 0 then
    Context.drop_lane(t, c, d, p)
  elseif others or Context.is_profile(c) then
    Context.served(t, c, d, p)
    return
  end
  -- Whoever is alone is always next, unless a profile of ours competes with it.
  local open = P .. 'open:' .. t .. ':' .. p
  if self.rivals[t] or call('ZCARD', open) > 1 then
    call('ZADD', open, 'XX', Shard.stamp(), c)
  end
end

-- Where the job runs: a page of a warm context, else a room of its own.
function Claim:settle_in(t, c, place, solo)
  local fence = false
  if not place then
    self.rooms = self.rooms - 1
    if Context.is_profile(c) then
      fence = Profile.lock(t, c, self.worker)
    end
    place = self:place(t, c, (solo or c == SOLO) and 1 or self.pages, false)
  else
    if place.idle then
      place.idle = false
      self.rooms = self.rooms - 1
    end
    if solo then
      place.free = 1
    end
    if Context.is_profile(c) then
      local _, f = Profile.holder(t, c)
      fence = f
    end
  end
  place.free = place.free - 1
  if c == SOLO then
    place.c = nil -- never shared
  end
  return fence
end

function Claim:grant(who, start, c, domain, id, job, place)
  local t = who.name
  Limits.take(who)
  who.v = start + 1 / who.weight
  call('HSET', P .. 'tenant:' .. t, 'run', who.run, 'v', who.v, 'rr', who.rr)
  if who.rate > 0 then
    call('HSET', P .. 'tenant:' .. t, 'tk', who.tk, 'ts', who.ts)
  end
  call('ZADD', P .. 'active', 'XX', who.v, t)
  if domain then
    Domain.take(domain)
  end
  local fence = self:settle_in(t, c, place, job.k)
  if c == '' then
    self.served[t] = true
  end
  if Context.is_profile(c) then
    Profile.take(t, c)
  end
  if self.start[t] then
    self.start[t] = who.v
  end
  self.virtual = max(self.virtual or 0, start)
  if job.e then
    call('ZREM', P .. 'expiry', id)
  end
  self:lease(id, '1', fence)
  if Limits.barred(who) then
    Tenant.settle(t, who)
    self.barred[t] = true
  end
end

-- The pending entry is the lease; everything else about it hangs on the token.
function Claim:lease(id, permits, fence)
  local token = Shard.stamp() .. '-' .. self.nonce
  local entry = call('XADD', P .. 'ready', '*', 'job', id)
  call(
    'HSET', P .. 'job:' .. id,
    's', 'r', 'tok', token, 'w', self.worker, 'x', entry, 'st', NOW, 'pm', permits, 'pf', fence or ''
  )
  call('ZADD', P .. 'leases', NOW + LEASE_MS, id)
  self.entries[#self.entries + 1] = entry
  self.leases[#self.leases + 1] = id
end

-- Jobs that only need their result written take no page.
function Claim:take_verdicts()
  for _ = 1, VERDICTS_AT_MOST do
    local id = call('LPOP', P .. 'verdicts')
    if not id then
      return
    end
    if call('HGET', P .. 'job:' .. id, 's') == 'v' then
      self:lease(id, '0')
    end
  end
  self.more = true
end

-- Read what was added, so that it is pending with this worker.
function Claim:pend()
  if #self.entries == 0 then
    return
  end
  local ready = P .. 'ready'
  local read = redis.pcall('XREADGROUP', 'GROUP', GROUP, self.worker, 'STREAMS', ready, '>')
  if type(read) == 'table' and read.err then
    local ms, n = string.match(self.entries[1], '^(%d+)-(%d+)$')
    local before = n ~= '0' and ms .. '-' .. (tonumber(n) - 1) or (tonumber(ms) - 1) .. '-18446744073709551615'
    call('XGROUP', 'CREATE', ready, GROUP, before)
    read = call('XREADGROUP', 'GROUP', GROUP, self.worker, 'STREAMS', ready, '>')
  end
  if #read[1][2] > #self.entries then
    -- Entries that no claim made: nobody owns them.
    local own = {}
    for _, entry in ipairs(self.entries) do
      own[entry] = true
    end
    for _, entry in ipairs(read[1][2]) do
      if not own[entry[1]] then
        call('XACK', ready, GROUP, entry[1])
        call('XDEL', ready, entry[1])
      end
    end
  end
end

-- Contexts that are next in fairness and have no place on this worker.
function Claim:wanted()
  local wanted = {}
  if self.rooms > 0 or self.quiet then
    return wanted
  end
  for _, t in ipairs(call('ZRANGE', P .. 'active', 0, WANTED - 1)) do
    local there = self:choices(t, 1)
    if next(there) then
      local p = Tenant.turn(call('HGET', P .. 'tenant:' .. t, 'rr') or '0 0 0', there)
      if not self:find(t, there[p]) then
        wanted[#wanted + 1] = { t, there[p] }
      end
    end
  end
  return wanted
end

function Claim:close()
  self:pend()
  if self.virtual then
    call('HSET', P .. 'meta', 'v', max(self.virtual, number(call('HGET', P .. 'meta', 'v'))))
  end
  if #self.leases > 0 then
    call('ZADD', P .. 'workers', NOW, self.worker)
    call('SET', P .. 'claimed:' .. self.worker, self.nonce .. ' ' .. table.concat(self.leases, ' '), 'PX', REPLAY_MS)
  end
  if self.rooms > 0 and #self.leases < self.limit and not self.quiet then
    Profile.ask(self.worker)
  end
  if #self.leases > 0 or self.rooms == 0 then
    Wakes.pass_on(self.served)
  end
  Wakes.flush_rest(self.worker)
end

function Claim:soon()
  if self.budget <= 0 or self.more then
    return 0
  end
  if #self.leases >= self.limit then
    return -1
  end
  local at = Timers.next()
  return at == 0 and -1 or max(0, at - NOW)
end

function Claim.reply_lease(id)
  local job = Job.read(id)
  local f = call('HMGET', P .. 'job:' .. id, 'b', 'hist')
  return {
    id, job.t, job.c, job.tok, f[1] or '', number(job.a), number(job.k), job.pf or '', job.pm == '0' and job.vd or '',
    NOW - number(job.qa or job.at), NOW - number(job.at), f[2] or '', job.p,
  }
end

function Claim:reply()
  local leases = {}
  for i, id in ipairs(self.leases) do
    leases[i] = Claim.reply_lease(id)
  end
  return { leases, self:wanted(), self:soon(), self.lost, self.rooms }
end

-- The same call again: its reply was lost.
function Claim.replay(worker, nonce)
  local text = call('GET', P .. 'claimed:' .. worker)
  if not text or string.sub(text, 1, #nonce + 1) ~= nonce .. ' ' then
    return nil
  end
  local leases = {}
  for id in string.gmatch(string.sub(text, #nonce + 2), '%S+') do
    local token = call('HGET', P .. 'job:' .. id, 'tok')
    if token and string.match(token, '%-(.*)$') == nonce then
      leases[#leases + 1] = Claim.reply_lease(id)
    end
  end
  return { leases, {}, -1, {}, 0 }
end

-- True where the shard has nothing that any claim could change: idle workers ask often, and shall cost little.
function Claim.is_quiet(argv)
  for at = 7, #argv, 4 do
    if Context.is_profile(argv[at + 1]) then
      return false
    end
  end
  return call(
    'EXISTS', P .. 'active', P .. 'verdicts', P .. 'delayed', P .. 'timers', P .. 'expiry', P .. 'locks'
  ) == 0
end

local function claim(keys, argv)
  local refused = Shard.enter(keys)
  if refused then
    return refused
  end
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
