-- Stored results of rejected texts. No limit of a tenant slows a rejection, so what is kept of them is bounded per tenant, in
-- number and bytes; `*` is the tenant of all unknown ones. Above a bound, the tenant's oldest go: their keys, and their entries of the stream `results`.
--
-- `rejected:of:<tenant>` holds them in their order. A member is `<time> <bytes> <sha1> <entry of results> <job>`. Its score is
-- the sum of bytes up to and with it, so the first and the last member tell how many bytes are kept. A job may have several:
-- `rejected:last:<tenant>` has the entry of each job's newest one, to which the stored result belongs.
--
-- On a Cluster this deletes `kept:<job>`: the key `<prefix>:result:…` is on another node, and stays until it expires.
--
-- Used by: fn_finish.

local DROPPED_RESULTS_PER_CALL = 64
local REPEATED_FINISH_MS = 60000 -- a worker that got no reply repeats its `finish`, which finds the mark of the job

-- The key of a job's result: `<prefix>:result:<tenant>:<id>`, a public key; on a Cluster the one beside the shard's others.
local function result_key_here(id)
  return CLUSTER and Key.kept(id) or PREFIX .. ':result:' .. string.gsub(id, '/', ':', 1)
end

-- The result of a job that has ended, nil if it is not kept any more.
local function stored_result(id)
  return call('GET', result_key_here(id)) or nil
end

local function parts_of(member)
  local at, bytes, sha1, entry, id = string.match(member, '^(%d+) (%d+) (%x+) (%S+) (.*)$')
  return tonumber(at), tonumber(bytes), sha1, entry, id
end

-- Delete a result that was stored at this time, if it still is that of the job: a corrected push may have run since, and
-- the same text may have been rejected again, which gives the same bytes.
local function drop_result(tenant, id, at, sha1, entry)
  call('XDEL', Key.results(), entry)
  if call('HGET', Key.rejected_last(tenant), id) ~= entry then
    return
  end
  local stored = stored_result(id)
  if stored and redis.sha1hex(stored) == sha1 then
    call('DEL', result_key_here(id), Key.timeline(id))
    local _, _, free = Push.ended(id)
    local left = at + REPEATED_FINISH_MS - NOW
    if free and left > 0 then
      call('PEXPIRE', Key.done(id), left, 'LT')
    elseif free then
      call('DEL', Key.done(id))
    end
  end
  call('HDEL', Key.rejected_last(tenant), id)
end

-- Keep the result that was stored with this entry of the stream `results`. `retention`: see fn_finish.lua.
function Rejection.keep(id, tenant, result, entry, retention)
  local key = Key.rejected_of(tenant)
  local sum = number(call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]) + #result
  local sha1 = redis.sha1hex(result)
  call('ZADD', key, sum, string.format('%.0f %d %s %s %s', NOW, #result, sha1, entry, id))
  call('HSET', Key.rejected_last(tenant), id, entry)
  call('PEXPIRE', key, retention.result_ttl_ms)
  call('PEXPIRE', Key.rejected_last(tenant), retention.result_ttl_ms)
  for _ = 1, DROPPED_RESULTS_PER_CALL do
    local oldest = call('ZRANGE', key, 0, 0, 'WITHSCORES')
    local at, bytes, oldest_sha1, oldest_entry, oldest_id = parts_of(oldest[1])
    local kept_bytes = sum - tonumber(oldest[2]) + bytes
    local fits = call('ZCARD', key) <= retention.rejected_length and kept_bytes <= retention.rejected_bytes
    if (fits and at + retention.result_ttl_ms > NOW) or oldest_entry == entry then -- the newest stays, whatever its size
      return
    end
    call('ZREM', key, oldest[1])
    drop_result(tenant, oldest_id, at, oldest_sha1, oldest_entry)
  end
end
