-- Reading: numbers and listings. Bounded, but for `audit`.

local TENANTS_SHOWN = 100
local STATES = { q = 'queued', d = 'delayed', r = 'running', v = 'verdict' }

-- A job as it stands. One that is leased only to have its result written does not run.
local function view(id)
  local job = Job.read(id)
  if not job then
    return nil
  end
  local due = job.s == 'd' and call('ZSCORE', P .. 'delayed', id) or ''
  local why = (job.s == 'd' or job.s == 'q') and call('HGET', P .. 'job:' .. id, 'why') or ''
  return {
    id, job.c, job.d, job.p, job.s == 'r' and job.pm ~= '1' and 'verdict' or STATES[job.s], job.w or '',
    number(job.k), number(job.a), due, NOW - number(job.at), why,
  }
end

-- Where an entry stands in its lane by now: those before it may have been claimed since.
local function place_in_lane(key, offset, entry)
  if offset > 0 and call('LINDEX', key, offset - 1) == entry then
    return offset
  end
  local at = offset > 0 and call('LPOS', key, entry, 'MAXLEN', offset)
  return at and at + 1 or 0
end

-- Jobs of lanes. A position is `<offset>|<last entry>|<lane>`, or the lane alone where all of it has been looked at.
local function queued_page(t, position, most)
  local ids, offset, entry, lane = {}, string.match(position, '^(%d+)|([^|]*)|(.*)$')
  if lane then
    offset = place_in_lane(P .. 'lane:' .. lane, tonumber(offset), entry)
  end
  local looked = 0
  while looked < most do
    if not lane then
      lane, offset = Listing.page('lanes', t, position, 1)[1], 0
      if not lane then
        return ids, ''
      end
    end
    local wanted = most - looked
    local entries = call('LRANGE', P .. 'lane:' .. lane, offset, offset + wanted - 1)
    for _, each in ipairs(entries) do
      local stamp, id = string.match(each, '^(%d+) (.*)$')
      local f = call('HMGET', P .. 'job:' .. id, 's', 'q')
      if f[1] == 'q' and f[2] == stamp then
        ids[#ids + 1] = id
      end
    end
    -- A lane that is empty by now counts too: no call goes on for long without a job.
    looked = looked + max(1, #entries)
    if #entries < wanted then
      lane, position = nil, lane
    else
      position = (offset + #entries) .. '|' .. entries[#entries] .. '|' .. lane
    end
  end
  return ids, position
end

local function running_page(position, most)
  local ids = {}
  local entries = call('XRANGE', P .. 'ready', position == '' and '-' or '(' .. position, '+', 'COUNT', most)
  for i, each in ipairs(entries) do
    ids[i] = each[2][2]
  end
  return ids, #entries < most and '' or entries[#entries][1]
end

local function indexed_page(state, t, position, most)
  local ids = Listing.page(state, t, position, most)
  return ids, #ids < most and '' or ids[#ids]
end

-- jobs: ARGV: where to look (queued, delayed, verdict, running), tenant ('' any), position ('' from the beginning), how
-- many to look at. Replies: the position to go on with ('' there is no more), jobs. Looks at nothing but such jobs: of the
-- tenant, save that what runs is looked at for all tenants together.
local function jobs(argv)
  local where, t, most = argv[1], argv[2], tonumber(argv[4])
  local ids, following
  if where == 'queued' then
    ids, following = queued_page(t, argv[3], most)
  elseif where == 'running' then
    ids, following = running_page(argv[3], most)
  else
    ids, following = indexed_page(where, t, argv[3], most)
  end
  local found = {}
  for _, id in ipairs(ids) do
    local row = view(id)
    if row and (t == '' or string.sub(row[1], 1, #t + 1) == t .. '/') then
      found[#found + 1] = row
    end
  end
  return { following, found }
end

local function stats()
  local tenants, seen = {}, {}
  for _, where in ipairs({ 'parked', 'active' }) do
    for _, t in ipairs(call('ZRANGE', P .. where, 0, TENANTS_SHOWN - 1)) do
      if not seen[t] and #tenants < TENANTS_SHOWN then
        seen[t] = true
        local f = call('HMGET', P .. 'tenant:' .. t, 'n', 'run', 'pk')
        tenants[#tenants + 1] = { t, number(f[1]), number(f[2]), f[3] and 1 or 0 }
      end
    end
  end
  return {
    call('HGET', P .. 'meta', 'jobs') or '0',
    call('ZCARD', P .. 'delayed'),
    call('ZCARD', P .. 'leases'),
    call('LLEN', P .. 'verdicts'),
    call('ZCARD', P .. 'active'),
    call('ZCARD', P .. 'parked'),
    call('ZCARD', P .. 'locks'),
    call('ZCARD', P .. 'outbox'),
    call('XLEN', P .. 'dead'),
    call('ZCARD', P .. 'workers'),
    tenants,
  }
end
