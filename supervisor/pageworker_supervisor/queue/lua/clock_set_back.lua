-- Redis' clock was set back, or a replica whose clock is behind has become the primary: what was to come soon would come
-- late by as much. A reap notices it, because each reap notes its time, and brings forward what is due: delays, callbacks,
-- expiries, deadlines of batches, refills of rates, and the ends of leases and locks whose worker is gone.
--
-- A clock that is set forward needs nothing: all that is due comes early, once. Leases end, and their jobs run again.
--
-- Used by: fn_lease.

local LEAST_MS = 30000 -- less passes by itself
local MOVED_PER_CALL = 10000 -- of each set, the soonest first

-- Entries of a set of instants, from `from` on.
local function later(key, from)
  return call('ZRANGEBYSCORE', key, '(' .. number_text(from), '+inf', 'WITHSCORES', 'LIMIT', 0, MOVED_PER_CALL)
end

-- No entry may be later than `latest`.
local function bring_before(key, latest)
  local entries = later(key, latest)
  for i = 1, #entries, 2 do
    call('ZADD', key, 'XX', number_text(latest), entries[i])
  end
end

-- Entries from before the change keep their distance from now. Those that came since then are near, so they stay.
local function bring_forward(key, back, moved)
  local entries = later(key, NOW + floor(back / 2))
  for i = 1, #entries, 2 do
    local at = number_text(tonumber(entries[i + 1]) - back)
    call('ZADD', key, 'XX', at, entries[i])
    if moved then
      moved(entries[i], at)
    end
  end
end

function Shard.follow_clock()
  local back = number(call('HGET', Key.meta(), 'reaped_at')) - NOW
  call('HSET', Key.meta(), 'reaped_at', NOW_TEXT)
  if back < LEAST_MS then
    return
  end
  bring_before(Key.leases(), NOW + LEASE_MS)
  bring_before(Key.profile_locks(), NOW + LEASE_MS)
  bring_before(Key.workers(), NOW)
  bring_forward(Key.timers(), back)
  bring_forward(Key.delayed(), back)
  bring_forward(Key.outbox(), back)
  bring_forward(Key.expiry(), back, function(id, at)
    call('HSET', Key.job(id), 'expires_at', at)
  end)
  bring_forward(Key.batches_due(), back, Batch.bring_forward)
  Wakeup.slots()
end
