-- What tenants use of their limits now. Reading only.
--
-- list_tenants
--   request: names: list; absent: tenants with jobs, a pause or dead letters on this shard, at most `limit`
--     names_only: reply with more and names alone
--   reply: claimed (leases on this shard), more (true: some are left out), tenants: list of tenant, limits (as in
--     limits.lua), tokens (absent without a rate), jobs, bytes, running, delayed, ending, mean_ms, throttled, dead_letters,
--     dead_bytes, profiles (list of those that a worker holds), pause (kind, reason, by, since_ms, until_ms), budgets (list
--     of name, limit, used, ends_ms); absent if they do not apply
--   Costs a few commands per tenant of the reply, and a look at every lease and every held profile of the shard.

-- Names of tenants without repetition, at most `limit`.
local Names = {}

function Names.add(names, tenant)
  if tenant == '' or names.seen[tenant] then
    return
  end
  if #names.list >= names.limit then
    names.more = true
    return
  end
  names.seen[tenant] = true
  names.list[#names.list + 1] = tenant
end

-- The tenants of an index of jobs. Its members begin with `<tenant>/`, so each step goes behind all jobs of one tenant.
local function add_listed(names, index)
  local from = '-'
  while not names.more do
    local member = call('ZRANGE', Key.listed(index), from, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
    if not member then
      return
    end
    local tenant = string.match(member, '^[^/]*')
    Names.add(names, tenant)
    from = '[' .. tenant .. '0' -- '0' is the byte after '/'
  end
end

local function tenants_here(limit)
  local names = { list = {}, seen = {}, limit = limit, more = false }
  for _, id in ipairs(call('ZRANGE', Key.leases(), 0, -1)) do
    Names.add(names, string.match(id, '^[^/]*'))
  end
  for _, index in ipairs({ 'backlogs', 'delayed', 'ending' }) do
    add_listed(names, index)
  end
  for _, pause in ipairs(Pause.all()) do
    if pause.kind == 't' or pause.kind == 'b' then
      Names.add(names, pause.name)
    end
  end
  for _, tenant in ipairs(call('ZRANGE', Key.dead_weight(), 0, limit, 'REV')) do
    Names.add(names, tenant)
  end
  return names
end

local function count_listed(index, tenant)
  return call('ZLEXCOUNT', Key.listed(index), '[' .. tenant .. '/', '(' .. tenant .. '0')
end

local function profiles_by_tenant()
  local held = {}
  for _, name in ipairs(call('ZRANGE', Key.profile_locks(), 0, -1)) do
    local tenant, profile = string.match(name, '^([^/]*)/(.*)$')
    held[tenant] = held[tenant] or {}
    held[tenant][#held[tenant] + 1] = profile
  end
  return held
end

local function usage_of(tenant, held, seen)
  local quota = Tenant.read(tenant)
  local pause = quota.pause
  return {
    tenant = tenant,
    limits = LimitsTable.tenant(tenant) or call('HGET', Key.tenant(tenant), 'limits') or NO_LIMITS,
    tokens = quota.rate > 0 and Limits.tokens(quota) or nil,
    jobs = quota.jobs, bytes = quota.bytes, running = quota.running,
    delayed = count_listed('delayed', tenant), ending = count_listed('ending', tenant),
    mean_ms = quota.mean_of > 0 and quota.mean_ms or nil,
    throttled = tenant_throttled(seen, tenant) or used_up(seen, 'fleet', '', Fleet.read),
    dead_letters = call('ZCARD', Key.dead_of(tenant)),
    dead_bytes = number(call('ZSCORE', Key.dead_weight(), tenant)),
    profiles = held[tenant],
    budgets = Tenant.budgets(tenant),
    pause = pause and {
      kind = pause.kind, name = tenant, reason = pause.reason, by = pause.by, since_ms = pause.since_ms,
      until_ms = pause.until_ms,
    } or nil,
  }
end

function Tenant.list(request)
  local names = request.names and { list = request.names, more = false } or tenants_here(request.limit)
  if request.names_only then
    return { cmsgpack.pack({ more = names.more, names = names.list }) }
  end
  local rows, held, seen = {}, profiles_by_tenant(), {}
  for i, tenant in ipairs(names.list) do
    rows[i] = usage_of(tenant, held, seen)
  end
  return { cmsgpack.pack({ claimed = call('ZCARD', Key.leases()), more = names.more, tenants = rows }) }
end
