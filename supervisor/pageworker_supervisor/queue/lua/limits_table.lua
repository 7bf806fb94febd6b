-- The table of limits that is in force: of tenants, domains and modules by glob, and of the fleet. A worker sets the table of its configuration once;
-- every function looks names up in it, so a change governs from the next claim on, and nothing has to be written for each
-- tenant. `queue/limits_table.py` builds it: for each kind `exact`, `globs` in the order in which they are tried, `other`.
-- An empty text stands for no limits.
--
-- `limits` holds the table, the field `limits` of `meta` its id, `<version> <digest>`. The id is read with the schema
-- version, at no further command. Here the table is kept parsed, with what was found for each name, until the id changes.
--
-- Limits that came with a job count only while no table is in force, which is so until the first worker of this release
-- has started.
--
-- `limits:workers` names the table that each worker brought, `limits:brought` holds these tables, in force or not: an
-- operator sees in what workers differ. On shard 0 alone.
--
-- Used by: fn_enqueue, fn_lease, fn_workers, fleet, module, shard, shared_quota, tenant.

local FOUND_NAMES = 65536

local tables = {} -- by root of the shard
local current -- of this shard; nil: none is in force

-- A glob as a pattern of Lua: `*` matches any characters, `?` one.
local function pattern_of(glob)
  local escaped = string.gsub(glob, '[%^%$%(%)%%%.%[%]%+%-]', '%%%0')
  local pattern = string.gsub(escaped, '[*?]', { ['*'] = '.*', ['?'] = '.' })
  return '^' .. pattern .. '$'
end

local function prepare(section)
  for _, each in ipairs(section.globs) do
    each[1] = pattern_of(each[1])
  end
  section.found, section.count = {}, 0
end

local function load_table(id)
  local text = call('GET', Key.limits())
  if not text then
    return nil
  end
  local loaded = cmsgpack.unpack(text)
  loaded.id = id
  prepare(loaded.tenants)
  if loaded.budgets then -- absent if no tenant has one
    prepare(loaded.budgets)
  end
  prepare(loaded.domains)
  prepare(loaded.modules)
  tables[P] = loaded
  return loaded
end

-- Use the table with this id; nil: none is in force.
function LimitsTable.use(id)
  current = id and tables[P]
  if id and (not current or current.id ~= id) then
    current = load_table(id)
  end
end

-- The table in use, and another one in its place.
function LimitsTable.current()
  return current
end

function LimitsTable.id()
  return current and current.id
end

-- The worker has no table any more. A table that no other worker brought goes with it.
function LimitsTable.forget(worker)
  local id = call('HGET', Key.limits_workers(), worker)
  if not id then
    return
  end
  local rows, others = call('HGETALL', Key.limits_workers()), false
  for at = 1, #rows, 2 do
    others = others or (rows[at] ~= worker and rows[at + 1] == id)
  end
  if not others then
    call('HDEL', Key.limits_brought(), id)
  end
  -- Last: what fails before is done again by the next call.
  call('HDEL', Key.limits_workers(), worker)
end

-- This worker's configuration has this table.
function LimitsTable.bring(worker, id, text)
  LimitsTable.forget(worker)
  call('HSET', Key.limits_workers(), worker, id)
  call('HSET', Key.limits_brought(), id, text)
end

-- An exact name first, then the longest glob.
local function look_up(section, name)
  if section.exact[name] then
    return section.exact[name]
  end
  for _, each in ipairs(section.globs) do
    if string.find(name, each[1]) then
      return each[2]
    end
  end
  return section.other
end

-- `known_as`: the name that has the limits, nil: the same.
local function find(section, name, known_as)
  local text = section.found[name]
  if not text then
    if section.count >= FOUND_NAMES then
      section.found, section.count = {}, 0
    end
    text = look_up(section, known_as and known_as(name) or name)
    section.found[name], section.count = text, section.count + 1
  end
  return text
end

-- The limits of a tenant as text, nil if no table is in force. `whose`: that of another table.
function LimitsTable.tenant(name, whose)
  local from = whose or current
  return from and find(from.tenants, name)
end

-- The budget of a tenant as text (see budget.lua), nil: it has none. `whose`: that of another table.
function LimitsTable.budget(name, whose)
  local from = whose or current
  local text = from and from.budgets and find(from.budgets, name)
  return text and text ~= '' and text or nil
end

-- `shop.example@acme` has the limits of `shop.example`: see `host_of_key` in contract/job.py.
local function host_of(name)
  return string.match(name, '^[^@]*')
end

function LimitsTable.domain(name)
  return current and find(current.domains, name, host_of)
end

-- nil: the module has no limits.
function LimitsTable.module(name)
  local text = current and find(current.modules, name)
  return text and text ~= '' and text or nil
end

-- True if any module has limits.
function LimitsTable.has_modules()
  return current and (#current.modules.globs > 0 or next(current.modules.exact)) and true or false
end

-- nil: the fleet has no limits.
function LimitsTable.fleet()
  return current and current.fleet ~= '' and current.fleet or nil
end
