-- Instants at which a throttled tenant (`t<name>`), the fleet (`f`), or a domain (`d<name>`) or module (`m<name>`) that
-- backlogs wait for is looked at again, or the pause of one of them ends. `b<name>`: the pause of a tenant by its budget ends.
--
-- Used by: fn_claim, fleet, shared_quota, job, tenant.

function Timer.add(name, at)
  call('ZADD', Key.timers(), 'LT', at, name)
  if call('ZRANGE', Key.timers(), 0, 0)[1] == name then
    Wakeup.slots() -- a sleeping worker must shorten its timeout
  end
end

-- Handle a slice of the timers that are due.
function Timer.run()
  local due = call('ZRANGEBYSCORE', Key.timers(), '-inf', NOW, 'LIMIT', 0, SLICE)
  for _, each in ipairs(due) do
    call('ZREM', Key.timers(), each)
    local kind, name = string.sub(each, 1, 1), string.sub(each, 2)
    local again = Pause.expire(kind, name)
    if kind == 't' or kind == 'b' then
      Tenant.reschedule(name)
    elseif kind == 'f' then
      Fleet.wake()
    elseif kind == 'm' then
      Module:unpark(name, UNPARKED_PER_CALL)
    else
      Domain:unpark(name, UNPARKED_PER_CALL)
    end
    if again then
      Timer.add(each, again)
    end
  end
end

-- The first instant of a sorted set of instants; 0: it is empty.
function Timer.head(key)
  return number(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
end

-- When the next job, expiry, refill or lock is due; 0: never.
function Timer.next()
  local soonest = 0
  for _, key in ipairs({ Key.timers(), Key.delayed(), Key.expiry(), Key.profile_locks() }) do
    local head = Timer.head(key)
    if head ~= 0 and (soonest == 0 or head < soonest) then
      soonest = head
    end
  end
  return soonest
end
