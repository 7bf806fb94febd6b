-- The open requests to one host, of all workers together. Each worker has one count in the hash of the host, not a lease
-- per request. Its value is `<count> <wants> <told at> <waits since>`, times in milliseconds.
--
-- hold_requests: one worker tells its count, and asks for more
--   request: host, worker, limit, holds (permits that it keeps), wants (how many more)
--   reply: how many more it has now; how many it may keep, as others wait (-1: all); in how many milliseconds it may
--     ask again for the rest
-- A repeated call changes nothing: `holds` is absolute, and replaces what the worker told before.
--
-- A count is valid for OPEN_LEASE_MS, a wish for OPEN_WISH_MS. Workers that want more than the limit get equal shares. A
-- free permit goes to the worker that has waited longest among those below their share.

local hold_requests
do
  local OPEN_LEASE_MS = 30000 -- a worker that died gives its permits back after this time
  local OPEN_WISH_MS = 2000 -- who still waits has asked again by then

  -- The share of each worker with more demand than that; nil: the limit is enough for all. Shares are fractions.
  local function fair_share(limit, demands)
    table.sort(demands)
    for n, demand in ipairs(demands) do
      local share = limit / (#demands - n + 1)
      if demand > share then
        return share
      end
      limit = limit - demand
    end
    return nil
  end

  function hold_requests(request)
    local key, holds, wants = Key.open_requests(request.host), request.holds, request.wants
    local since, taken, others_wait = NOW, 0, false
    local others, demands = {}, { holds + wants }
    local found = call('HGETALL', key)
    for n = 1, #found, 2 do
      local count, wanted, at, began = string.match(found[n + 1], '^(%d+) (%d+) (%d+) (%d+)$')
      count, wanted, at, began = number(count), number(wanted), number(at), number(began)
      if at > NOW then -- the clock was set back: it tells its count again, or its permits end
        at, began = NOW, min(began, NOW)
        call('HSET', key, found[n], string.format('%.0f %.0f %.0f %.0f', count, wanted, at, began))
      end
      if NOW - at >= OPEN_WISH_MS then
        wanted = 0
      end
      if found[n] == request.worker then
        -- Who was given a permit, or gave one back, waits from now on.
        if wanted > 0 and count <= holds then
          since = began
        end
      elseif NOW - at >= OPEN_LEASE_MS or count + wanted == 0 then
        call('HDEL', key, found[n])
      else
        taken = taken + count
        others_wait = others_wait or wanted > 0
        others[#others + 1] = { worker = found[n], count = count, wanted = wanted, began = began }
        demands[#demands + 1] = count + wanted
      end
    end

    local share = fair_share(request.limit, demands)
    local function claim(count, wanted)
      return share and max(0, min(wanted, math.ceil(share) - count)) or wanted
    end
    local free, ahead = request.limit - taken - holds, 0
    for _, other in ipairs(others) do
      if other.began < since or (other.began == since and other.worker < request.worker) then
        local claimed = claim(other.count, other.wanted)
        free = free - claimed
        ahead = ahead + min(claimed, 1)
      end
    end
    local granted = max(0, min(claim(holds, wants), free))
    local left = wants - granted
    if granted > 0 then
      since = NOW
    end

    if holds + wants == 0 then
      call('HDEL', key, request.worker)
    else
      call('HSET', key, request.worker, string.format('%.0f %.0f %.0f %.0f', holds + granted, left, NOW, since))
      call('PEXPIRE', key, OPEN_LEASE_MS)
    end
    -- More than the limit: it was lowered, or Redis lost its data.
    local shared = share and (others_wait or taken + holds > request.limit)
    return { granted, shared and floor(share) or -1, left > 0 and min(1000, 100 * (ahead + 1)) or 0 }
  end
end
