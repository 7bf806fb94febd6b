-- Dead letters are entries of the stream `dead`, which is bounded in entries and bytes. What exceeds a bound is taken from
-- the tenant that has most, its oldest first: no tenant's letters are pushed out by another's.
--
-- `dead:of:<tenant>` holds the tenant's entries in their order ('' as tenant: texts that name no tenant). `dead:weight`
-- holds how much each tenant has: bytes, plus a small text's worth for each entry. `meta` holds the bytes of all.
--
-- Used by: fn_check_consistency, fn_dead_letters, fn_finish.

local ENTRY_BYTES = 1024
local DROPPED_PER_CALL = 64

local function account(tenant, bytes, sign)
  call('HINCRBY', Key.meta(), 'dead_bytes', sign * bytes)
  if tonumber(call('ZINCRBY', Key.dead_weight(), sign * (bytes + ENTRY_BYTES), tenant)) <= 0 then
    call('ZREM', Key.dead_weight(), tenant)
  end
end

-- The fields of a stream entry by name.
function DeadLetter.fields(flat)
  local found = {}
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
  end
  return found
end

-- Bytes of an entry's texts; then its tenant.
function DeadLetter.size(flat)
  local f = DeadLetter.fields(flat)
  return #f.job + #f.letter + #f.place, f.tenant_id
end

-- The entry with this stream id, or nil.
function DeadLetter.find(entry)
  return call('XRANGE', Key.dead(), entry, entry)[1]
end

-- Delete an entry, given its fields.
function DeadLetter.drop(entry, flat)
  local bytes, tenant = DeadLetter.size(flat)
  call('XDEL', Key.dead(), entry)
  if call('ZREM', Key.dead_of(tenant), entry) == 1 then
    account(tenant, bytes, -1)
  end
end

local function drop_oldest_of_heaviest()
  local tenant = call('ZRANGE', Key.dead_weight(), 0, 0, 'REV')[1]
  local entry = tenant and call('ZRANGE', Key.dead_of(tenant), 0, 0)[1]
  if not entry then
    return false
  end
  local found = DeadLetter.find(entry)
  if found then
    DeadLetter.drop(entry, found[2])
  else -- it was deleted by hand
    call('ZREM', Key.dead_of(tenant), entry)
  end
  return true
end

-- Everything that is needed to queue the job again: priority, context, domain, limits. JSON.
local function place_of(job)
  return cjson.encode({
    priority = job.priority,
    context = job.context,
    domain = job.domain,
    tenant_limits = call('HGET', Key.tenant(job.tenant), 'limits') or '',
    domain_limits = call('HGET', Key.domain(job.domain), 'limits') or '',
  })
end

-- Dead-letter a job or, without `job`, a text that is none. `retention`: see fn_finish.lua. Returns the entry.
function DeadLetter.add(id, tenant, text, letter, reason, job, retention)
  local place = job and place_of(job) or ''
  local entry = call(
    'XADD', Key.dead(), '*',
    'job', text, 'job_id', Job.own_id(id), 'tenant_id', tenant, 'reason', reason, 'letter', letter, 'place', place
  )
  call('ZADD', Key.dead_of(tenant), Shard.stamp(), entry)
  account(tenant, #text + #letter + #place, 1)
  for _ = 1, DROPPED_PER_CALL do
    local fits = call('XLEN', Key.dead()) <= retention.dead_length
      and number(call('HGET', Key.meta(), 'dead_bytes')) <= retention.dead_bytes
    if fits or not drop_oldest_of_heaviest() then
      return entry
    end
  end
  return entry
end
