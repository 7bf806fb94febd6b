-- The base of every function: the shard's key prefix, its clock, its counters, its schema version.
--
-- The files of this folder are joined into one library; `queue/library.py` gives their order and generates the tables
-- State, Event, TRANSITIONS, JOB_FIELDS, Batch and Key. A function is called with one key, the shard's root
-- `<prefix>:{<shard>}`, and one argument, a MessagePack map. Every other key of the shard carries the same hash tag and
-- is derived from the root, because a function finds out only while it runs which tenants and jobs it touches.
--
-- Used by: register (enters the shard), and every file that needs the clock or a stamp.

-- Set by Shard.enter: `redis.call` cannot be used while a library is being loaded.
local call, floor, max, min

local TEST_CLOCK = false -- replaced at load, for tests only
local CLUSTER = false -- replaced at load

local LEASE_MS = 45000 -- replaced at load: QueueOptions.lease_ms
local IDLE_SECONDS = 900 -- the record of an idle tenant or domain is kept at least this long
local SLICE = 64 -- at most this many due jobs, expiries and timers are moved per call

local PRIORITIES = { 'h', 'm', 'l' } -- high, normal, low
local PRIORITY_SHARE = { h = 8, m = 4, l = 1 }

local PREFIX -- prefix of keys and channels without a hash tag
local NOW -- milliseconds since the epoch, Redis' clock
local NOW_TEXT -- the same as digits: see number_text
local MICROS -- the same instant in microseconds

-- One table per noun, one file each.
local Shard, Limits, Wakeup, Tenant, Timer, Domain, Backlog, Context, Profile = {}, {}, {}, {}, {}, {}, {}, {}, {}
local Job, Push, Outbox, Cancellation, DeadLetter, Listing, LimitsTable = {}, {}, {}, {}, {}, {}, {}
local Module, Fleet, Rejection, History, Pause, Rollouts, Config, Once = {}, {}, {}, {}, {}, {}, {}, {}
local Subscriptions = {}

local NO_DOMAIN = '-' -- of a job without a domain; no host name

local needed_rights = {} -- commands by root of the shard

-- Of each category of commands that a user may lose on its own, one that functions use: without its right, a function
-- would stop in the middle of a transition, and what it wrote before would stay. Asking costs no command.
local function missing_right()
  if not needed_rights[P] then
    local key = Key.meta()
    needed_rights[P] = {
      { 'HSET', key, 'field', '' }, { 'ZADD', key, 0, '' }, { 'RPUSH', key, '' }, { 'SET', key, '' }, { 'DEL', key },
      { 'XADD', key, '*', 'field', '' }, { 'XREADGROUP', 'GROUP', '-', '-', 'STREAMS', key, '>' },
      { 'PUBLISH', PREFIX .. ':events:_fleet', '' },
    }
  end
  for _, needed in ipairs(needed_rights[P]) do
    if not redis.acl_check_cmd(unpack(needed)) then
      return needed[1]
    end
  end
  return nil
end

-- Every function starts here. Returns an error reply where the shard cannot be used now. `writes`: the function may write.
function Shard.enter(root, writes)
  call, floor, max, min = redis.call, math.floor, math.max, math.min
  Key.use(root)
  PREFIX = string.match(root, '^(.*):{')
  local missing = writes and missing_right()
  if missing then
    return redis.error_reply('NOPERM functions need the right to run ' .. missing)
  end
  if CLUSTER then
    -- While a slot moves, its keys are on two nodes. Access to an absent key then fails, in the middle of a transition.
    -- Two absent keys fail on the old owner (ASK) and on the new one (TRYAGAIN): this probe runs before any write.
    local probe = redis.pcall('EXISTS', P .. 'absent:1', P .. 'absent:2')
    if type(probe) == 'table' and probe.err then
      return redis.error_reply('TRYAGAIN the slot of this shard is moving')
    end
  end
  Wakeup.reset()
  return Shard.check_schema(writes)
end

-- Set NOW and MICROS. A test moves the clock by some milliseconds, or stops it (`=` and the time in milliseconds).
function Shard.read_clock()
  local time = call('TIME')
  local ahead = 0
  if TEST_CLOCK then
    local set = call('GET', Key.clock()) or '0'
    local stopped_at = tonumber(string.match(set, '^=(%d+)$'))
    if stopped_at then
      time = { floor(stopped_at / 1000), stopped_at % 1000 * 1000 }
    else
      ahead = tonumber(set)
    end
  end
  NOW = tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000) + ahead
  NOW_TEXT = string.format('%.0f', NOW)
  MICROS = tonumber(time[1]) * 1000000 + tonumber(time[2]) + ahead * 1000
end

-- Refuses state that another schema version wrote. An empty shard gets this version. The text after SCHEMA is read by
-- `queue/functions.py`: the version found, `none` if the state has no version. The same command tells which limits and
-- pauses are in force, whether a claim waits for the fleet's limits, and whether subscriptions have changed.
function Shard.check_schema(writes)
  local f = call('HMGET', Key.meta(), 'schema', 'limits', 'fleet_waited_for', 'paused', 'subscriptions')
  local found = f[1]
  LimitsTable.use(f[2] or nil)
  Fleet.use(f[3])
  Pause.use(f[4] or nil)
  Subscriptions.use(f[5] or nil)
  if found == SCHEMA_VERSION then
    return nil
  end
  if found or call('EXISTS', Key.meta()) == 1 then
    return redis.error_reply('SCHEMA ' .. (found or 'none'))
  end
  if writes then
    call('HSET', Key.meta(), 'schema', SCHEMA_VERSION)
  end
  return nil
end

-- A number that this shard has not given out before: order of queueing, order of turns.
function Shard.stamp()
  return call('HINCRBY', Key.meta(), 'stamp', 1)
end

-- Redis prints each number that a command gets from Lua with 17 digits, and Lua parses each one that it reads: about as
-- much work as the command itself. Counters are mostly small, so their texts are looked up.
local number, number_text
do
  local text_of, number_of = {}, { [false] = 0 }
  for i = 0, 255 do
    text_of[i] = '' .. i -- the library `string` is not there while a library is being loaded
    number_of[text_of[i]] = i
  end

  -- What a reply says as a number; 0 where it says nothing.
  function number(value)
    return number_of[value] or tonumber(value or 0) or 0
  end

  -- An argument of a command for this number: its digits if it is small.
  function number_text(value)
    return text_of[value] or value
  end
end

local MOST_NUMBER = 1e15 -- above 2^53 (9e15) numbers lose digits

-- A whole number that was stored, or 0.
local function whole(text)
  local value = number(text)
  return value >= 0 and value <= MOST_NUMBER and value == floor(value) and value or 0
end

-- Whether a text is UTF-8, without which no worker can read a reply. Source: RFC 3629, section 4.
local function is_utf8(text)
  local rest = string.gsub(text, '[\194-\223][\128-\191]', '-')
  rest = string.gsub(rest, '\224[\160-\191][\128-\191]', '-')
  rest = string.gsub(rest, '[\225-\236\238\239][\128-\191][\128-\191]', '-')
  rest = string.gsub(rest, '\237[\128-\159][\128-\191]', '-')
  rest = string.gsub(rest, '\240[\144-\191][\128-\191][\128-\191]', '-')
  rest = string.gsub(rest, '[\241-\243][\128-\191][\128-\191][\128-\191]', '-')
  rest = string.gsub(rest, '\244[\128-\143][\128-\191][\128-\191]', '-')
  return not string.find(rest, '[\128-\255]')
end

local function readable(text)
  return text and (is_utf8(text) and text or 'unreadable') or ''
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
