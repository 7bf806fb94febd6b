-- Reading: numbers and listings. Bounded, but for `audit`.

local TENANTS_SHOWN = 100
local STATES = { q = 'queued', d = 'delayed', r = 'running', v = 'verdict' }

local function view(id)
  local job = Job.read(id)
  if not job then
    return nil
  end
  local due = job.s == 'd' and call('ZSCORE', P .. 'delayed', id) or ''
  local why = (job.s == 'd' or job.s == 'q') and call('HGET', P .. 'job:' .. id, 'why') or ''
  return {
    id, job.c, job.d, job.p, STATES[job.s], job.w or '', number(job.k), number(job.a), due,
    NOW - number(job.at), why,
  }
end

-- jobs: ARGV: state ('' any), tenant ('' any), cursor, how many keys to look at.
local function jobs(argv)
  local root = P .. 'job:'
  local page = call('SCAN', argv[3], 'MATCH', string.gsub(root, '([%[%]*?\\])', '\\%1') .. '*', 'COUNT', argv[4])
  local found = {}
  for _, key in ipairs(page[2]) do
    local row = view(string.sub(key, #root + 1))
    if row and (argv[1] == '' or row[5] == argv[1]) and (argv[2] == '' or string.sub(row[1], 1, #argv[2] + 1) == argv[2] .. '/') then
      found[#found + 1] = row
    end
  end
  return { page[1], found }
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
