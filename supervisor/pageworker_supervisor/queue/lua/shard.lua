-- What every function stands on: the shard's names, its clock, its counters.
--
-- All files of this folder are joined in the order of their names into one library. A function is called
-- with one key, the shard's root `<prefix>:{<shard>}`. Every other key of the shard carries the same hash tag
-- and is derived from it, because which tenants and jobs a call touches is decided inside it.

-- Set by `enter`: nothing of this can be had while a library is being loaded.
local call, floor, max, min

local TEST_CLOCK = false -- replaced at load, for tests only
local CLUSTER = false -- replaced at load

local LEASE_MS = 45000 -- replaced at load: Options.lease_ms
local IDLE_SECONDS = 900 -- what is left of an idle tenant or domain goes after so long
local SLICE = 64 -- due jobs, expiries and timers that one call moves at most

local PRIORITIES = { 'h', 'm', 'l' }
local SHARE = { h = 8, m = 4, l = 1 }

local P -- prefix of the shard's keys
local PREFIX -- prefix of keys and channels that carry no hash tag
local NOW -- milliseconds, Redis' clock
local MICROS -- microseconds, the same instant

-- The nouns, one file each.
local Shard, Limits, Wakes, Tenant, Timers, Domain, Lane, Context, Profile, Job = {}, {}, {}, {}, {}, {}, {}, {}, {}, {}
local Push, Outbox, Cancellation, Letters, Listing = {}, {}, {}, {}, {}

-- Start of every function. Returns an error reply where the shard cannot be worked on now.
function Shard.enter(keys)
  call, floor, max, min = redis.call, math.floor, math.max, math.min
  P = keys[1] .. ':'
  PREFIX = string.match(keys[1], '^(.*):{')
  if CLUSTER then
    -- While a slot moves, its keys are on two nodes: any access to an absent key fails, half-way through a
    -- transition. Two absent keys fail on the old owner (ASK) and on the new one (TRYAGAIN): ask first.
    local probe = redis.pcall('EXISTS', P .. 'absent:1', P .. 'absent:2')
    if type(probe) == 'table' and probe.err then
      return redis.error_reply('TRYAGAIN the slot of this shard is moving')
    end
  end
  local time = call('TIME')
  local ahead = 0
  if TEST_CLOCK then
    ahead = tonumber(call('GET', P .. 'clock') or 0)
  end
  NOW = tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000) + ahead
  MICROS = tonumber(time[1]) * 1000000 + tonumber(time[2]) + ahead * 1000
  Wakes.reset()
  return nil
end

-- A number that this shard has not given out before: order of queueing, round-robin stamps, tokens.
function Shard.stamp()
  return call('HINCRBY', P .. 'meta', 'seq', 1)
end

local function number(value)
  return tonumber(value or 0) or 0
end

-- RFC 3339 of an instant. Days to date: howardhinnant.github.io/date_algorithms.html (civil_from_days).
local function rfc3339(ms)
  local days = floor(ms / 86400000)
  local rest = ms - days * 86400000
  local z = days + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local day = doy - floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format(
    '%04d-%02d-%02dT%02d:%02d:%02d.%03dZ',
    year, month, day,
    floor(rest / 3600000), floor(rest / 60000) % 60, floor(rest / 1000) % 60, rest % 1000
  )
end
