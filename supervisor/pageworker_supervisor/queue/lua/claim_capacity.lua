-- What a claiming worker has capacity for, and which job is next among those that it could run.
--
-- A place is a warm context of the worker, or a runner slot that this call assigned: {context, profile, free, idle}.
--   free     jobs that it takes; below 0: no runner slot may be used for this context either (a profile that the worker
--            names as held and does not hold, or a runner that is starting)
--   idle     it counts among the free runner slots until a job enters it
--   empty    no context of its profile has work: known of profiles that this call locked
--   refused  it has no runner: its jobs are only answered, and take neither a slot nor a lock
--
-- Used by: fn_claim.

local STEPS = 256 -- backlogs looked at and void entries dropped per call

local Claim = {}
Claim.__index = Claim

function Claim.open(request)
  local self = setmetatable({
    worker = request.worker,
    nonce = request.nonce,
    limit = request.limit,
    slots = request.runner_slots,
    pages = request.pages_per_runner,
    one_page = {}, -- proxy policies whose runners have one page: true by the value of a context that names one
    quiet = request.quiet,
    budget = STEPS,
    leases = {}, -- {id, job}
    places = {}, -- list of places by tenant
    queue_start = {}, -- virtual start time by tenant, of tenants with work in a place of this worker
    dormant = {}, -- tenants of ephemeral places: `active` shows them too, while there are free slots
    skipped = {}, -- tenants that cannot be served (any more) in this call
    has_profile = {}, -- tenants of whose profiles the worker holds one
    full = {}, -- ephemeral contexts whose place this call filled: tenant by `<tenant>/<context>`
    lost_profiles = {},
    fence = nil, -- of the profile that this call locked last
    emptied = {}, -- names of the backlogs that this call has emptied, as keys
    closed = {}, -- tenants that get no runner slot
    moved = {}, -- jobs moved to the backlogs of their modules, by tenant
    fleet = Fleet.read(), -- the fleet's quota, nil without limits
    fleet_taken = false, -- this call took permits of it: jobs that only end take none
    stopped = false, -- the fleet's limits allow no further job
  }, Claim)
  for _, policy in ipairs(request.one_page or {}) do
    self.one_page[policy] = true
  end
  for _, capacity in ipairs(request.contexts) do
    if capacity.refused then
      self:add_refused_context(capacity.tenant, capacity.context, capacity.free_pages)
    else
      self:add_warm_context(capacity.tenant, capacity.context, capacity.free_pages, capacity.idle)
    end
  end
  return self
end

-- A warm context of the worker. A profile whose lock the worker does not hold is lost.
function Claim:add_warm_context(tenant, context, free, idle)
  local profile = Context.profile(context)
  if profile then
    self.has_profile[tenant] = true
    if Profile.holder(tenant, profile) ~= self.worker then
      self.lost_profiles[#self.lost_profiles + 1] = { tenant = tenant, profile = profile }
      free = -1
    end
  end
  self:add_place(tenant, context, free, idle)
end

-- A context that does not start on this worker. Jobs of a profile that another worker holds are left to that worker.
function Claim:add_refused_context(tenant, context, free)
  local profile = Context.profile(context)
  if profile == '*' then
    self.closed[tenant] = true
    return
  end
  self:add_place(tenant, context, profile and Profile.is_held(tenant, profile) and -1 or free, false).refused = true
  if not profile then
    self:add_place(tenant, Context.exclusive(context), free, false).refused = true
  end
end

function Claim:add_place(tenant, context, free, idle, empty)
  local places = self.places[tenant] or {}
  self.places[tenant] = places
  local place = {
    context = context,
    profile = Context.profile(context),
    ephemeral = Context.is_ephemeral(context),
    free = free,
    idle = idle,
    empty = empty,
  }
  places[#places + 1] = place
  if place.profile and free > 0 and not empty then
    self:join_fair_queue(tenant, context)
  elseif place.ephemeral then
    self.dormant[tenant] = true
  end
  return place
end

function Claim:join_fair_queue(tenant, context)
  if Context.has_work(tenant, context) then
    local active = call('ZSCORE', Key.active(), tenant)
    self.queue_start[tenant] = tonumber(active or max(Tenant.read(tenant).virtual_time, Tenant.virtual_time()))
  end
end

-- How many pages a new runner of this context has.
function Claim:pages_of(context)
  return (Context.is_one_page(context) or self.one_page[Context.proxy(context)]) and 1 or self.pages
end

-- The place that takes a job of this context now, or nil.
function Claim:find_place(tenant, context)
  for _, place in ipairs(self.places[tenant] or {}) do
    if place.context == context and place.free > 0 and (not place.idle or self.slots > 0) then
      return place
    end
  end
  return nil
end

-- True if no runner slot may be used for this context.
function Claim:is_unavailable(tenant, context)
  local profile = self.places[tenant] and Context.profile(context)
  for _, place in ipairs(self.places[tenant] or {}) do
    if place.free < 0 and (place.context == context or profile and place.profile == profile) then
      return true
    end
  end
  return false
end

-- Without free slots, tenants are no longer found through `active`: those with a place join the fair queue themselves.
function Claim:wake_dormant()
  for tenant in pairs(self.dormant) do
    for _, place in ipairs(self.places[tenant]) do
      if place.ephemeral and self:find_place(tenant, place.context) == place then
        self:join_fair_queue(tenant, place.context)
      end
    end
  end
  self.dormant = {}
end

-- The tenant that is next: the one furthest behind in virtual time, of those that the worker has a place or a slot for.
-- Returns its virtual start time too.
function Claim:next_tenant()
  if self.slots == 0 then
    self:wake_dormant()
  end
  local best, first = nil, nil
  for tenant, start in pairs(self.queue_start) do
    if not self.skipped[tenant] and (not best or start < first or (start == first and tenant < best)) then
      best, first = tenant, start
    end
  end
  local skip = 0
  while self.slots > 0 and self.budget > 0 do
    local head = call('ZRANGE', Key.active(), skip, skip, 'WITHSCORES')
    if not head[1] then
      break
    end
    if not self.skipped[head[1]] then
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

-- The context that is next at each priority, of those that have a place or a slot: context by priority. Then the
-- priorities at which the tenant has more than one open context.
function Claim:candidates(tenant, open_priorities, slots)
  local found, since, several = {}, {}, {}
  if self.closed[tenant] then
    slots = 0
  end
  if slots > 0 then
    for priority in string.gmatch(open_priorities, '.') do
      local most = #(self.places[tenant] or {}) + 1
      local open = call('ZRANGE', Key.open_contexts(tenant, priority), 0, most, 'WITHSCORES')
      several[priority] = #open > 2
      for i = 1, #open, 2 do
        if not self:is_unavailable(tenant, open[i]) then
          found[priority], since[priority] = open[i], tonumber(open[i + 1])
          break
        end
      end
    end
  end
  for _, place in ipairs(self.places[tenant] or {}) do
    -- With free slots, an ephemeral context was looked at above.
    local seen = slots > 0 and place.ephemeral and not self:is_unavailable(tenant, place.context)
    if not seen and self:find_place(tenant, place.context) == place then
      self:compare(tenant, place.context, found, since)
    end
  end
  return found, several
end

-- Enter the context into `found` at each priority where it is next.
function Claim:compare(tenant, context, found, since)
  for _, priority in ipairs(PRIORITIES) do
    local at
    if Context.profile(context) then
      at = call('ZRANGE', Key.context(tenant, context, priority), 0, 0, 'WITHSCORES')[2]
    else
      at = call('ZSCORE', Key.open_contexts(tenant, priority), context)
    end
    if at and (not found[priority] or tonumber(at) < since[priority]) then
      found[priority], since[priority] = context, tonumber(at)
    end
  end
end

-- Returns the fence, and whether contexts of the profile have work. `write_fence` stores the last fence, once for all.
function Claim:lock_profile(tenant, profile, context)
  self.fence = Profile.next_fence(self.fence)
  local fence = Profile.fence_text(self.fence)
  return fence, Profile.lock(tenant, profile, self.worker, context, fence)
end

function Claim:write_fence()
  if self.fence then
    call('HSET', Key.meta(), 'fence', Profile.fence_text(self.fence))
  end
end

-- Where the job runs: on a page of a warm context, or in a runner slot of its own. Returns the profile's fence, nil
-- without a profile. `exclusive`: the job runs alone.
function Claim:assign_slot(tenant, context, place, exclusive)
  local fence, profile = nil, Context.profile(context)
  if not place then
    self.slots = self.slots - 1
    local has_work = true
    if profile then
      fence, has_work = self:lock_profile(tenant, profile, context)
    end
    local alone = exclusive or Context.is_exclusive(context)
    place = self:add_place(tenant, context, alone and 1 or self:pages_of(context), false, not has_work)
  elseif not place.refused then
    if place.idle then
      place.idle = false
      self.slots = self.slots - 1
    end
    if exclusive then
      place.free = 1
    end
    if profile then
      local _, held = Profile.holder(tenant, profile)
      fence = held
    end
  end
  place.free = place.free - 1
  if place.free == 0 and place.ephemeral then
    self.full[tenant .. '/' .. context] = tenant
  end
  return fence
end
