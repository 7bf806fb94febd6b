-- A tenant: its limits, its place in fairness (`v`, the virtual start time of its next job), the state of its
-- smooth weighted round robin over priorities (`rr`), how many jobs it has (`n`), why it is parked (`pk`), the priorities
-- at which it has open contexts (`op`).
--
-- A tenant with open work is in exactly one place: in `active` (it may start a job), in `parked` (all its permits
-- are out; a release brings it back) or in `timers` (no token; the refill brings it back).

local function tenant_key(t)
  return P .. 'tenant:' .. t
end

function Tenant.read(t)
  local f = call('HMGET', tenant_key(t), 'lim', 'run', 'v', 'tk', 'ts', 'pk', 'rr', 'op')
  local who = {
    name = t,
    run = number(f[2]),
    v = number(f[3]),
    tk = number(f[4]),
    ts = f[5] and tonumber(f[5]),
    pk = f[6],
    rr = f[7] or '0 0 0',
    op = f[8] or '',
  }
  who.weight, who.concurrency, who.rate, who.burst = Limits.parse(f[1] or '1 1000 0 100')
  return who
end

local function open_key(t, p)
  return P .. 'open:' .. t .. ':' .. p
end

-- A context that any worker may open has work at this priority.
function Tenant.open(t, p, c, stamp)
  if call('ZADD', open_key(t, p), 'NX', stamp, c) == 0 then
    return
  end
  local f = call('HMGET', tenant_key(t), 'op', 'pk')
  local op = f[1] or ''
  if not string.find(op, p, 1, true) then
    call('HSET', tenant_key(t), 'op', op .. p)
  end
  if f[2] then
    return
  end
  if call('ZSCORE', P .. 'active', t) then
    Wakes.rooms()
    Wakes.context(t, c)
  else
    Tenant.settle(t)
  end
end

-- It has none any more, or a worker holds it now. A tenant without open work is not active.
function Tenant.close(t, p, c)
  if call('ZREM', open_key(t, p), c) == 0 or call('EXISTS', open_key(t, p)) == 1 then
    return
  end
  local op = string.gsub(call('HGET', tenant_key(t), 'op') or '', p, '')
  call('HSET', tenant_key(t), 'op', op)
  if op == '' then
    call('ZREM', P .. 'active', t)
  end
end

-- Virtual time: where a tenant that comes (back) starts. Never behind those that wait already.
function Tenant.virtual_time()
  local head = call('ZRANGE', P .. 'active', 0, 0, 'WITHSCORES')
  if head[2] then
    return tonumber(head[2])
  end
  return number(call('HGET', P .. 'meta', 'v'))
end

local function unpark(who)
  if who.pk then
    call('HDEL', tenant_key(who.name), 'pk')
    call('ZREM', P .. 'parked', who.name)
    who.pk = false
  end
end

-- Holders of its contexts that are open: a few, in the order in which they are served.
local function wake_open(who)
  for p in string.gmatch(who.op, '.') do
    for _, c in ipairs(call('ZRANGE', open_key(who.name, p), 0, 3)) do
      Wakes.context(who.name, c)
    end
  end
end

-- Put the tenant where it belongs now. To be called whenever its open work, permits, tokens or limits changed.
function Tenant.settle(t)
  local who = Tenant.read(t)
  local open = who.op ~= ''
  local held = call('ZCARD', P .. 'held:' .. t)
  if not open and held == 0 then
    call('ZREM', P .. 'active', t)
    unpark(who)
    return
  end
  local why, at = Limits.barred(who)
  if why then
    call('ZREM', P .. 'active', t)
    call('HSET', tenant_key(t), 'pk', why)
    call('ZADD', P .. 'parked', 'NX', NOW, t)
    if why == 'r' then
      Timers.add('t' .. t, at)
    end
    return
  end
  unpark(who)
  if open then
    if call('ZADD', P .. 'active', 'NX', max(who.v, Tenant.virtual_time()), t) == 1 then
      Wakes.rooms()
      wake_open(who)
    end
  else
    call('ZREM', P .. 'active', t)
  end
  if held > 0 then
    Profile.wake_holders(t)
  end
end

-- A permit comes back.
function Tenant.release(t)
  call('HINCRBY', tenant_key(t), 'run', -1)
  if call('HGET', tenant_key(t), 'pk') == 'c' then
    Tenant.settle(t)
  end
end

-- One more job of this tenant in the shard.
function Tenant.enrol(t)
  if call('HINCRBY', tenant_key(t), 'n', 1) == 1 then
    call('PERSIST', tenant_key(t))
  end
end

-- One job less. An idle tenant's hash outlives it only until its bucket is full again.
function Tenant.discharge(t)
  if call('HINCRBY', tenant_key(t), 'n', -1) <= 0 then
    call('EXPIRE', tenant_key(t), Limits.memory_seconds(Tenant.read(t)))
  end
end

function Tenant.limit(t, text)
  if call('HGET', tenant_key(t), 'lim') == text then
    return
  end
  call('HSET', tenant_key(t), 'lim', text)
  if call('HGET', tenant_key(t), 'pk') then
    Tenant.settle(t)
  end
end

-- Smooth weighted round robin over the priorities in `there`. Returns the chosen one and the state to keep if a job
-- is really taken. A priority that has nothing gathers no credit.
function Tenant.turn(rr, there)
  local h, m, l = string.match(rr, '^(%S+) (%S+) (%S+)$')
  local now = { h = tonumber(h), m = tonumber(m), l = tonumber(l) }
  local total, best = 0, nil
  for _, p in ipairs(PRIORITIES) do
    if there[p] then
      now[p] = now[p] + SHARE[p]
      total = total + SHARE[p]
      if not best or now[p] > now[best] then
        best = p
      end
    else
      now[p] = 0
    end
  end
  now[best] = now[best] - total
  return best, now.h .. ' ' .. now.m .. ' ' .. now.l
end
