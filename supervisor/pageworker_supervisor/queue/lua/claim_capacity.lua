-- Where a claiming worker has places, and whose turn it is among those that could have one.
--
-- A place is a warm context of the worker, or a room that this call opened: {c, free, idle}. free < 0: no room may be
-- opened for this context either (a profile that the worker believes to hold and does not, a runner that comes up).
-- idle: it counts among the rooms until a job enters it. refused: no runner stands behind it, its jobs are only
-- answered: it takes neither a room nor a lock.

local STEPS = 256 -- lanes looked at and void entries passed over in one call

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
    leases = {}, -- {id, job, fence}
    mine = {}, -- tenant: list of places
    start = {}, -- tenant with work in a place of ours: its virtual start time
    dormant = {}, -- tenants of ephemeral places: `active` shows them too, as long as there are rooms
    barred = {}, -- tenants that cannot be served (any more) in this call
    rivals = {}, -- tenants of whose profiles we hold one
    full = {}, -- ephemeral contexts whose place this call filled: {name: tenant}
    lost = {},
    closed = {}, -- tenants that get no room
  }, Claim)
  for at = 7, #argv, 4 do
    if argv[at + 3] == '2' then
      self:refuse(argv[at], argv[at + 1], tonumber(argv[at + 2]))
    else
      self:hold(argv[at], argv[at + 1], tonumber(argv[at + 2]), argv[at + 3] == '1')
    end
  end
  return self
end

-- A warm context of the worker. A profile whose lock it does not hold is none of its places.
function Claim:hold(t, c, free, idle)
  local f = Context.profile(c)
  if f then
    self.rivals[t] = true
    if Profile.holder(t, f) ~= self.worker then
      self.lost[#self.lost + 1] = { t, f }
      free = -1
    end
  end
  self:place(t, c, free, idle)
end

-- A context that does not come up on this worker. Whoever has its profile open serves it.
function Claim:refuse(t, c, free)
  local f = Context.profile(c)
  if f == '*' then
    self.closed[t] = true
    return
  end
  self:place(t, c, f and Profile.is_held(t, f) and -1 or free, false).refused = true
  if not f then
    self:place(t, Context.alone(c), free, false).refused = true
  end
end

function Claim:place(t, c, free, idle)
  local places = self.mine[t] or {}
  self.mine[t] = places
  local place = { c = c, f = Context.profile(c), ephemeral = Context.is_ephemeral(c), free = free, idle = idle }
  places[#places + 1] = place
  if place.f and free > 0 then
    self:stand_in_line(t, c)
  elseif place.ephemeral then
    self.dormant[t] = true
  end
  return place
end

function Claim:stand_in_line(t, c)
  if Context.has_work(t, c) then
    self.start[t] = tonumber(call('ZSCORE', P .. 'active', t) or max(Tenant.read(t).v, Tenant.virtual_time()))
  end
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
  local f = self.mine[t] and Context.profile(c)
  for _, place in ipairs(self.mine[t] or {}) do
    if place.free < 0 and (place.c == c or f and place.f == f) then
      return true
    end
  end
  return false
end

-- The tenant whose turn it is: the one that is furthest behind, of those that have a place.
function Claim:next_tenant()
  if self.rooms == 0 then
    for t in pairs(self.dormant) do
      for _, place in ipairs(self.mine[t]) do
        if place.ephemeral and self:find(t, place.c) == place then
          self:stand_in_line(t, place.c)
        end
      end
    end
    self.dormant = {}
  end
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

-- The context that is next at each priority, of those that have a place: {priority: context}. Then the priorities at
-- which the tenant has more than one open context.
function Claim:choices(t, op, rooms)
  local there, since, several = {}, {}, {}
  if self.closed[t] then
    rooms = 0
  end
  if rooms > 0 then
    for p in string.gmatch(op, '.') do
      local open = call('ZRANGE', P .. 'open:' .. t .. ':' .. p, 0, #(self.mine[t] or {}) + 1, 'WITHSCORES')
      several[p] = #open > 2
      for i = 1, #open, 2 do
        if not self:is_stale(t, open[i]) then
          there[p], since[p] = open[i], tonumber(open[i + 1])
          break
        end
      end
    end
  end
  for _, place in ipairs(self.mine[t] or {}) do
    -- With rooms to open, the turn of an ephemeral context was looked at above.
    local counted = rooms > 0 and place.ephemeral and not self:is_stale(t, place.c)
    if not counted and self:find(t, place.c) == place then
      self:compare(t, place.c, there, since)
    end
  end
  return there, several
end

-- Is this place's context next at any priority?
function Claim:compare(t, c, there, since)
  for _, p in ipairs(PRIORITIES) do
    local at
    if Context.profile(c) then
      at = call('ZRANGE', Context.key(t, c, p), 0, 0, 'WITHSCORES')[2]
    else
      at = call('ZSCORE', P .. 'open:' .. t .. ':' .. p, c)
    end
    if at and (not there[p] or tonumber(at) < since[p]) then
      there[p], since[p] = c, tonumber(at)
    end
  end
end

-- Where the job runs: a page of a warm context, else a room of its own. Returns the profile's fence.
function Claim:settle_in(t, c, place, solo)
  local fence, f = '', Context.profile(c)
  if not place then
    self.rooms = self.rooms - 1
    if f then
      fence = Profile.lock(t, f, self.worker)
    end
    place = self:place(t, c, (solo or Context.is_solo(c)) and 1 or self.pages, false)
  elseif not place.refused then
    if place.idle then
      place.idle = false
      self.rooms = self.rooms - 1
    end
    if solo then
      place.free = 1
    end
    if f then
      local _, held = Profile.holder(t, f)
      fence = held
    end
  end
  place.free = place.free - 1
  if place.free == 0 and place.ephemeral then
    self.full[t .. '/' .. c] = t
  end
  return fence
end
