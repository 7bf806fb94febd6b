-- Instants at which a throttled tenant (`t<name>`) or a domain that has waiting lanes (`d<name>`) wants to be
-- looked at again.

function Timers.add(who, at)
  call('ZADD', P .. 'timers', 'LT', at, who)
  if call('ZRANGE', P .. 'timers', 0, 0)[1] == who then
    -- Somebody who sleeps must learn that he is to wake earlier.
    Wakes.rooms()
  end
end

-- Handle the timers that are due, a slice of them.
function Timers.run()
  local due = call('ZRANGEBYSCORE', P .. 'timers', '-inf', NOW, 'LIMIT', 0, SLICE)
  for _, who in ipairs(due) do
    call('ZREM', P .. 'timers', who)
    local kind, name = string.sub(who, 1, 1), string.sub(who, 2)
    if kind == 't' then
      Tenant.settle(name)
    else
      Domain.unpark(name, ROOM_TOKENS)
    end
  end
end

-- The first instant of a sorted set of them, 0 for none.
function Timers.head(key)
  return number(call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')[2])
end

-- When something happens by itself next, 0 for never.
function Timers.next()
  local soonest = 0
  for _, key in ipairs({ 'timers', 'delayed', 'expiry', 'locks' }) do
    local head = Timers.head(key)
    if head ~= 0 and (soonest == 0 or head < soonest) then
      soonest = head
    end
  end
  return soonest
end
