-- Dead letters stand in the stream `dead`, at most so many and so many bytes. What is too much goes from the tenant that
-- has most, its oldest first: nobody's letters are pushed out by another's.
--
-- `dead:of:<tenant>` has the tenant's entries in their order ('' as tenant: texts that name nobody), `dead:weight` how much
-- each tenant has: bytes, and as much as a small text for each entry. `meta` has the bytes of all in `dead`.

local ENTRY_BYTES = 1024
local DROPPED_AT_MOST = 64 -- in one call; the next goes on

local function account(t, bytes, sign)
  call('HINCRBY', P .. 'meta', 'dead', sign * bytes)
  if tonumber(call('ZINCRBY', P .. 'dead:weight', sign * (bytes + ENTRY_BYTES), t)) <= 0 then
    call('ZREM', P .. 'dead:weight', t)
  end
end

local function named(fields)
  local found = {}
  for i = 1, #fields, 2 do
    found[fields[i]] = fields[i + 1]
  end
  return found
end

-- Bytes of an entry's texts; then its tenant.
function Letters.size(fields)
  local f = named(fields)
  return #f.job + #f.letter + #f.ticket, f.tenant_id
end

-- Delete an entry, whose fields are given.
function Letters.drop(entry, fields)
  local bytes, t = Letters.size(fields)
  call('XDEL', P .. 'dead', entry)
  if call('ZREM', P .. 'dead:of:' .. t, entry) == 1 then
    account(t, bytes, -1)
  end
end

local function drop_oldest_of_the_heaviest()
  local t = call('ZRANGE', P .. 'dead:weight', 0, 0, 'REV')[1]
  local entry = t and call('ZRANGE', P .. 'dead:of:' .. t, 0, 0)[1]
  if not entry then
    return false
  end
  local found = call('XRANGE', P .. 'dead', entry, entry)[1]
  if found then
    Letters.drop(entry, found[2])
  else -- somebody deleted it by hand
    call('ZREM', P .. 'dead:of:' .. t, entry)
  end
  return true
end

-- An entry was added whose texts have so many bytes.
function Letters.add(entry, t, bytes, terms)
  call('ZADD', P .. 'dead:of:' .. t, Shard.stamp(), entry)
  account(t, bytes, 1)
  for _ = 1, DROPPED_AT_MOST do
    local fits = call('XLEN', P .. 'dead') <= terms.dead_length
      and number(call('HGET', P .. 'meta', 'dead')) <= terms.dead_bytes
    if fits or not drop_oldest_of_the_heaviest() then
      return
    end
  end
end
