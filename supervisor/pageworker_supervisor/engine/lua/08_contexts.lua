-- A context: what shares one browser context. `c` is '' for the tenant's ephemeral one, '!' for jobs that must run
-- alone in a runner of their own, else the name of a profile. `ctx:<tenant>/<c>:<p>` holds its lanes that can run,
-- `open:<tenant>:<p>` the contexts of a tenant that any worker may open. Both are served in turn: the score is the
-- stamp of the last service. A profile that a worker holds is not open; its work shows in `held:<tenant>`.

local SOLO = '!'

function Context.key(t, c, p)
  return P .. 'ctx:' .. t .. '/' .. c .. ':' .. p
end

function Context.is_profile(c)
  return c ~= '' and c ~= SOLO
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
  if Context.is_profile(c) and Profile.is_held(t, c) then
    Profile.wait(t, c)
    if not call('HGET', P .. 'tenant:' .. t, 'pk') then
      Profile.wake_holder(t, c)
    end
    return
  end
  Tenant.open(t, p, c, stamp)
end

-- A lane has nothing left, or waits for its domain.
function Context.drop_lane(t, c, d, p)
  local key = Context.key(t, c, p)
  if call('ZREM', key, d) == 1 and call('EXISTS', key) == 0 then
    Tenant.close(t, p, c)
    if Context.is_profile(c) and not Context.has_work(t, c) then
      Profile.unwait(t, c)
    end
  end
end

