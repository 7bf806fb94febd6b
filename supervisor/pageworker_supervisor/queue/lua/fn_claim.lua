-- claim: the next jobs for one worker, in the order of fairness, as far as it has capacity for them.
--   request: worker, nonce, limit, runner_slots, pages_per_runner, quiet,
--     one_page: proxy policies whose runners have one page
--     contexts: list of tenant, context, free_pages, idle, refused (see claim_capacity.lua)
--   reply: a map, then the body of each lease
--     leases: list of ref, context, token, attempts_used, crashes, fence, ending, queued_ms, total_ms, page_ms,
--       traffic, past_attempts, priority, begins_within_ms (absent if they do not apply)
--     wanted: list of tenant, context: contexts that are next in fairness and have no place on this worker
--     look_again_ms: until time brings something; absent: never
--     lost_profiles: list of tenant, profile: named as held, but not held (any more)
--     runner_slots: slots that are left
--
-- The nonce makes the call repeatable: the same call again brings the same leases.

local ENDING_PER_CALL = 16
local REPLAY_MS = 60000
local WANTED_PER_CALL = 4
local MOVED_PER_TENANT = 32

-- One step for the tenant that is next: a lease, or a backlog out of the way, or the tenant out of this call.
function Claim:serve_tenant(tenant, start)
  local quota = Tenant.read(tenant)
  if Limits.throttled(quota) then
    Tenant.reschedule(tenant)
    self.skipped[tenant] = true
    return
  end
  if self:charge_running(quota, start) then
    return
  end
  local candidates, several = self:candidates(tenant, quota.open_priorities, self.slots)
  if not next(candidates) then
    self.skipped[tenant] = true
    return
  end
  local priority, credits = Tenant.next_priority(quota.priority_credits, candidates)
  local context = candidates[priority]
  local keys = call('ZRANGE', Key.context(tenant, context, priority), 0, 1)
  local limit_key = keys[1]
  if not limit_key then
    error('a context has no backlog: ' .. Key.context(tenant, context, priority))
  end
  local domain, module = LimitKey.parse(limit_key)
  local domain_quota, domain_full = self:shared_quota(Domain, domain ~= NO_DOMAIN and domain, tenant, context, limit_key)
  if domain_full then
    return
  end
  local module_quota, module_full = self:shared_quota(Module, module, tenant, context, limit_key)
  if module_full then
    return
  end
  local id, job
  id, job, self.budget = Backlog.pop(tenant, context, limit_key, priority, self.budget)
  local place = self:find_place(tenant, context)
  if id and job.crashes and Context.profile(context) and place and place.free < self:pages_of(context) and not place.refused then
    -- The job must run alone: no other job enters this context before it is empty.
    Backlog.unpop(id, job, limit_key)
    place.free = 0
    return
  end
  local many_contexts = several[priority] or self.has_profile[tenant] or self.slots == 0
  local has_others = #keys > 1
  if id and not module then
    module = Module.separate(id, job)
    module_quota = module and Module:read_to_take(module, tenant)
    if module_quota and Limits.throttled(module_quota) then
      self:move_to_module(id, job, module)
      id = nil
      has_others = has_others or nil -- it may have come to this context
    end
  end
  self:rotate(tenant, context, limit_key, priority, has_others, several[priority], place, many_contexts)
  if id then
    quota.priority_credits = credits
    self:grant(quota, start, context, domain_quota, module_quota, id, job, place)
  end
end

-- The quota of this kind that the backlog needs. True if it is used up: then the backlog is out of the way.
function Claim:shared_quota(kind, name, tenant, context, limit_key)
  if not name or (kind == Module and not Module.is_counted(name)) then
    return nil, false
  end
  local quota = kind:read_to_take(name, tenant)
  local reason, at = Limits.throttled(quota)
  if reason then
    self.budget = self.budget - 1
    kind:park(name, tenant, context, limit_key, reason, at)
    return nil, true
  end
  return quota, false
end

-- The job's module got limits, or was paused, after the job was queued, and is used up. After a few such jobs the tenant is left to the
-- next claim: its backlog may be long, and others are served in the same call.
function Claim:move_to_module(id, job, module)
  local limit_key = LimitKey.of(job.domain, module)
  Backlog.move(id, job, limit_key)
  self.emptied[Listing.backlog_name(job.tenant, job.context, limit_key, job.priority)] = nil
  self.budget = self.budget - 1
  self.moved[job.tenant] = (self.moved[job.tenant] or 0) + 1
  if self.moved[job.tenant] >= MOVED_PER_TENANT then
    self.skipped[job.tenant] = true
    self.more = true
  end
end

-- The backlog and the context were served: they go to the end of their orders. One that is alone stays where it is.
-- `has_others`: whether the context has other backlogs at this priority; nil: not known. `tenant_has_others`: true if
-- the tenant has other open contexts at it. `place`: where the job runs; a context without one is held by no worker.
function Claim:rotate(tenant, context, limit_key, priority, has_others, tenant_has_others, place, many_contexts)
  local dropped = false
  if call('EXISTS', Key.backlog(tenant, context, limit_key, priority)) == 0 then
    local held = place ~= nil
    dropped = Context.drop_backlog(tenant, context, limit_key, priority, has_others, tenant_has_others, held)
    self.emptied[Listing.backlog_name(tenant, context, limit_key, priority)] = true
  elseif has_others or Context.profile(context) then
    call('ZADD', Key.context(tenant, context, priority), 'XX', Shard.stamp(), limit_key)
  end
  if many_contexts and not dropped then
    call('ZADD', Key.open_contexts(tenant, priority), 'XX', Shard.stamp(), context)
  end
end

local function write_quota(quota)
  local running, timed = number_text(quota.running), number_text(quota.timed)
  if quota.rate > 0 and quota.tokens_at then -- a rate that came while jobs ran: no token has been taken yet
    call(
      'HSET', Key.tenant(quota.name),
      'running', running, 'virtual_time', quota.virtual_time, 'priority_credits', quota.priority_credits,
      'timed', timed, 'starts_ms', quota.starts_ms, 'charged_ms', quota.charged_ms,
      'tokens', quota.tokens, 'tokens_at', quota.tokens_at == NOW and NOW_TEXT or quota.tokens_at
    )
  else
    call(
      'HSET', Key.tenant(quota.name),
      'running', running, 'virtual_time', quota.virtual_time, 'priority_credits', quota.priority_credits,
      'timed', timed, 'starts_ms', quota.starts_ms, 'charged_ms', quota.charged_ms
    )
  end
end

-- The tenant's place in fairness is from now on `virtual_time`.
function Claim:advance_tenant(quota)
  write_quota(quota)
  call('ZADD', Key.active(), 'XX', quota.virtual_time, quota.name)
  if self.queue_start[quota.name] then
    self.queue_start[quota.name] = quota.virtual_time
  end
end

-- Charge what the tenant's running jobs took since it was last looked at. True if that moves it back in the order, so
-- that another one may be next. It happens once per call at most: the clock stands still meanwhile.
function Claim:charge_running(quota, start)
  if quota.timed == 0 then
    return false
  end
  local grows = Tenant.charge(quota)
  if grows * quota.weight * 1000 < Tenant.LEAST_MS then
    quota.charged_ms = quota.charged_ms - grows * quota.weight * 1000 -- left to a later look
    return false
  end
  quota.virtual_time = start + grows
  self:advance_tenant(quota)
  return true
end

-- Lease a job that was taken from its backlog: permits, slot, profile, lease.
function Claim:grant(quota, start, context, domain_quota, module_quota, id, job, place)
  local tenant = quota.name
  Limits.take_permit(quota)
  Tenant.start_lease(quota)
  quota.virtual_time = start + Tenant.charge(quota)
  self:advance_tenant(quota)
  if domain_quota then
    Domain:take_permit(domain_quota, tenant)
  end
  if module_quota then
    Module.take(module_quota, tenant)
  end
  if self.fleet then
    Limits.take_permit(self.fleet)
    self.fleet_taken = true
  end
  local fence = self:assign_slot(tenant, context, place, job.crashes)
  local profile = Context.profile(context)
  if profile and place and not place.refused then
    Profile.start_job(tenant, profile, context)
  end
  self.virtual_time = max(self.virtual_time or 0, start)
  if job.expires_at then
    call('ZREM', Key.expiry(), id)
  end
  self:add_lease(id, job, fence, Job.permits_text(self.fleet, module_quota))
  if Limits.throttled(quota) then
    Tenant.reschedule(tenant)
    self.skipped[tenant] = true
  end
end

-- The pending entry of `ready` is the lease; everything else about it depends on the token. The entry's id is the counter
-- in the token. The nonce keeps the token apart from tokens that a failover took back.
function Claim:add_lease(id, job, fence, permits)
  job.entry = call('XADD', Key.ready(), '*', 'job', id)
  job.token = job.entry .. '-' .. self.nonce
  job.fence = fence
  if permits then
    Job.transition(
      id, job, Event.CLAIM,
      'token', job.token, 'worker', self.worker, 'entry', job.entry, 'started_at', NOW_TEXT, 'fence', fence or '',
      'permits', permits, 'module', job.module or ''
    )
  else
    Job.transition(
      id, job, Event.CLAIM,
      'token', job.token, 'worker', self.worker, 'entry', job.entry, 'started_at', NOW_TEXT, 'fence', fence or ''
    )
  end
  self.leases[#self.leases + 1] = { id, job }
end

-- True if the fleet's limits allow no further job now.
function Claim:stop_at_fleet_limit()
  local reason, at
  if self.fleet then
    reason, at = Limits.throttled(self.fleet)
  end
  if reason then
    Fleet.wait(reason, at)
    self.stopped = true
  end
  return self.stopped
end

-- Jobs that only need their result written take no page.
function Claim:claim_ending()
  for _ = 1, ENDING_PER_CALL do
    local id = call('LPOP', Key.ending())
    if not id then
      return
    end
    local job = Job.read(id)
    if job and job.state == State.ENDING then
      Listing.remove('ending', id)
      self:add_lease(id, job, nil)
    end
  end
  self.more = true
end

-- Read the entries that were added, so that they are pending with this worker, and note when each lease expires.
function Claim:record_leases()
  local ready, own, due, ids = Key.ready(), {}, {}, {}
  for i, lease in ipairs(self.leases) do
    own[lease[2].entry] = true
    ids[i] = lease[1]
    due[2 * i - 1], due[2 * i] = NOW + LEASE_MS, lease[1]
  end
  call('ZADD', Key.leases(), unpack(due))
  call('ZADD', Key.workers(), NOW, self.worker)
  call('SET', Key.last_claim(self.worker), self.nonce .. ' ' .. table.concat(ids, ' '), 'PX', REPLAY_MS)
  local read = redis.pcall('XREADGROUP', 'GROUP', GROUP, self.worker, 'STREAMS', ready, '>')
  if type(read) == 'table' and read.err then
    if not string.find(read.err, 'NOGROUP', 1, true) then
      error(read)
    end
    local ms, n = string.match(self.leases[1][2].entry, '^(%d+)-(%d+)$')
    local before = n ~= '0' and ms .. '-' .. (tonumber(n) - 1) or (tonumber(ms) - 1) .. '-18446744073709551615'
    call('XGROUP', 'CREATE', ready, GROUP, before)
    read = call('XREADGROUP', 'GROUP', GROUP, self.worker, 'STREAMS', ready, '>')
  end
  for _, entry in ipairs(#read[1][2] > #ids and read[1][2] or {}) do
    if not own[entry[1]] then -- no claim added it, so no worker owns it
      call('XACK', ready, GROUP, entry[1])
      call('XDEL', ready, entry[1])
    end
  end
end

-- Contexts with work of profiles that this worker holds with other hosts; the first few of each profile.
function Claim:other_profile_contexts()
  local found = {}
  for tenant, places in pairs(self.places) do
    local parked = nil
    for _, place in ipairs(places) do
      local others = place.profile and place.free >= 0 and not place.empty
      for _, context in ipairs(others and Profile.contexts(tenant, place.profile, WANTED_PER_CALL) or {}) do
        if parked == nil then
          parked = Tenant.is_parked(tenant)
        end
        if context ~= place.context and not parked then
          found[#found + 1] = { tenant = tenant, context = context }
        end
      end
    end
  end
  return found
end

-- Contexts that are next in fairness and have no place on this worker. A claim that brought all it asked for is followed
-- by another one at once, which looks for them.
function Claim:wanted()
  local wanted = (self.quiet or self.stopped) and {} or self:other_profile_contexts()
  if self.stopped or self.slots > 0 or self.quiet or (#self.leases > 0 and #self.leases >= self.limit) then
    return wanted
  end
  for _, tenant in ipairs(call('ZRANGE', Key.active(), 0, WANTED_PER_CALL - 1)) do
    local quota = Tenant.read(tenant)
    local candidates = self:candidates(tenant, quota.open_priorities, 1)
    if next(candidates) then
      local priority = Tenant.next_priority(quota.priority_credits, candidates)
      if not self:find_place(tenant, candidates[priority]) then
        wanted[#wanted + 1] = { tenant = tenant, context = candidates[priority] }
      end
    end
  end
  return wanted
end

function Claim:close()
  if #self.leases > 0 then
    self:record_leases()
    if self.fleet_taken then
      Fleet.write(self.fleet)
    end
  end
  self:write_fence()
  local emptied = {}
  for name in pairs(self.emptied) do
    emptied[#emptied + 1] = name
  end
  Listing.remove_backlogs(emptied)
  if self.virtual_time then
    local kept = number(call('HGET', Key.meta(), 'virtual_time'))
    call('HSET', Key.meta(), 'virtual_time', max(self.virtual_time, kept))
  end
  if self.slots > 0 and #self.leases < self.limit and not self.quiet and not self.stopped then
    Profile.ask_holders(self.worker)
  end
  if not self.stopped and (#self.leases > 0 or self.slots == 0) then
    Wakeup.wake_for_rest(self.full)
  end
  Wakeup.flush_after_claim(self.worker, self.stopped)
end

-- Milliseconds until the worker should look again by itself; nil: never.
function Claim:look_again_ms()
  if self.budget <= 0 or self.more then
    return 0
  end
  local at = 0
  if #self.leases >= self.limit then
    -- Another claim follows one that brought all it asked for. A worker without capacity ends jobs that expire.
    at = self.limit == 0 and Timer.head(Key.expiry()) or 0
  else
    at = Timer.next()
  end
  return at ~= 0 and max(0, at - NOW) or nil
end

local function lease_row(id, job)
  return {
    ref = id,
    context = job.context,
    token = job.token,
    attempts_used = number(job.attempts_used),
    crashes = number(job.crashes),
    fence = job.fence and job.fence ~= '' and tonumber(job.fence) or nil,
    ending = job.state == State.FINISHING and job.ending or nil,
    queued_ms = number(job.waited_ms) + NOW - number(job.queued_at or job.pushed_at),
    total_ms = NOW - number(job.pushed_at),
    past_attempts = job.past_attempts or nil,
    page_ms = number(job.page_ms),
    traffic = job.traffic or nil,
    priority = job.priority,
    begins_within_ms = Job.begins_within(job),
  }
end

-- The map and the bodies. Bodies are opaque bytes, so they are not part of the map.
local function claim_reply(leases, fields)
  local rows, reply = {}, { '' }
  for i, lease in ipairs(leases) do
    rows[i] = lease_row(lease[1], lease[2])
    reply[i + 1] = Job.body(lease[1])
  end
  fields.leases = rows
  reply[1] = cmsgpack.pack(fields)
  return reply
end

-- The same call again, because its reply was lost. The next claim, which is due at once, finds everything else.
function Claim.replay(worker, nonce)
  local text = call('GET', Key.last_claim(worker))
  if not text or string.sub(text, 1, #nonce + 1) ~= nonce .. ' ' then
    return nil
  end
  Shard.read_clock()
  local leases = {}
  for id in string.gmatch(string.sub(text, #nonce + 2), '%S+') do
    local job = Job.read(id)
    if job and job.token and string.sub(job.token, -#nonce - 1) == '-' .. nonce then
      leases[#leases + 1] = { id, job }
    end
  end
  return claim_reply(leases, { look_again_ms = 0, runner_slots = 0 })
end

-- True if no claim could change anything in the shard: idle workers claim often, which must cost little.
function Claim.is_shard_quiet(request)
  for _, capacity in ipairs(request.contexts) do
    if Context.profile(capacity.context) then
      return false
    end
  end
  return call(
    'EXISTS', Key.active(), Key.ending(), Key.delayed(), Key.timers(), Key.expiry(), Key.profile_locks()
  ) == 0
end

local function claim(request)
  local replayed = Claim.replay(request.worker, request.nonce)
  if replayed then
    return replayed
  end
  if Claim.is_shard_quiet(request) then
    return claim_reply({}, { runner_slots = request.runner_slots })
  end
  Shard.read_clock()
  advance()
  local self = Claim.open(request)
  self:claim_ending()
  self.limit = self.limit + #self.leases
  while #self.leases < self.limit and self.budget > 0 do
    local tenant, start
    if not self:stop_at_fleet_limit() then
      tenant, start = self:next_tenant()
    end
    if not tenant then
      break
    end
    self:serve_tenant(tenant, start)
  end
  self:stop_at_fleet_limit() -- the last job may have taken the last permit
  self:close()
  return claim_reply(self.leases, {
    wanted = self:wanted(),
    look_again_ms = self:look_again_ms(),
    lost_profiles = self.lost_profiles,
    runner_slots = self.slots,
  })
end
