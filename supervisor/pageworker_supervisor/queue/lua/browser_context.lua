-- A context: what shares one runner, and with it one browser context. `c` says what it is and ends with the digest of
-- the hosts that its modules may reach: `~<egress>` is a tenant's ephemeral one, `!<egress>` of jobs that must run alone in
-- a runner of their own, `<profile>~<egress>` one of a profile's. Only the functions right below take `c` apart.
--
-- `ctx:<tenant>/<c>:<p>` holds its lanes that can run, `open:<tenant>:<p>` the contexts of a tenant that any worker may
-- open. Both are served in turn: the score is the stamp of the last service. The contexts of a profile that a worker
-- holds are not open; their work shows in `held:<tenant>`.

-- The profile's name, or nil.
function Context.profile(c)
  return string.match(c, '^[^~!]+')
end

function Context.is_ephemeral(c)
  return string.byte(c) == 126 -- ~
end

function Context.is_solo(c)
  return string.byte(c) == 33 -- !
end

-- The same context for one job alone. A profile has one runner anyway.
function Context.alone(c)
  return Context.is_ephemeral(c) and '!' .. string.sub(c, 2) or c
end

-- The same context with other hosts.
function Context.with_egress(c, egress)
  if Context.is_solo(c) then
    return '!' .. egress
  end
  return (Context.profile(c) or '') .. '~' .. egress
end

function Context.key(t, c, p)
  return P .. 'ctx:' .. t .. '/' .. c .. ':' .. p
end

function Context.has_work(t, c)
  return call('EXISTS', Context.key(t, c, 'h'), Context.key(t, c, 'm'), Context.key(t, c, 'l')) > 0
end

-- A lane can run.
function Context.add_lane(t, c, d, p, stamp)
  stamp = stamp or Shard.stamp()
  local key = Context.key(t, c, p)
  if call('ZADD', key, 'NX', stamp, d) == 0 or call('ZCARD', key) > 1 then
    return
  end
  local f = Context.profile(c)
  if f then
    Profile.enter(t, f, c)
    if Profile.is_held(t, f) then
      Profile.wait(t, c)
      if not call('HGET', P .. 'tenant:' .. t, 'pk') then
        Profile.wake_holder(t, f)
      end
      return
    end
  end
  Tenant.open(t, p, c, stamp)
end

-- A lane has nothing left, or waits for its domain.
function Context.drop_lane(t, c, d, p)
  local key = Context.key(t, c, p)
  if call('ZREM', key, d) == 1 and call('EXISTS', key) == 0 then
    Tenant.close(t, p, c)
    local f = Context.profile(c)
    if f and not Context.has_work(t, c) then
      Profile.leave(t, f, c)
    end
  end
end

