-- The rate of requests to one host, of all workers together. The value of a host's key is the instant at which a host with
-- burst 1 would permit the next request: the theoretical arrival time of GCRA (ITU-T I.371, annex A). A request that is
-- permitted moves it on by one interval. No key: nothing was sent lately.
--
-- reserve_requests: for several requests to the host, in their order
--   request: host, interval_us (one request per interval), burst, longest_us (an array: how long each request may wait)
--   reply: for each request, microseconds until it may begin, or -1: longer than it may wait, and nothing was reserved for
--     it. Then, as one more number, microseconds until one further request might begin.
-- A repeated call reserves other instants. So the limit holds even then, and the first instants stay unused.

local function reserve_requests(request)
  local key, interval = Key.request_rate(request.host), request.interval_us
  local free_at = max(MICROS, number(call('GET', key)))
  local most_wait_us = 600 * 1000000 -- of the setting `egress.request_wait_seconds`
  if free_at - MICROS > most_wait_us + request.burst * interval then
    free_at = MICROS -- no worker reserves so far ahead: the clock was set back
  end
  local reply, reserved = {}, false
  local function wait()
    return max(0, math.ceil(free_at - (request.burst - 1) * interval - MICROS))
  end
  for n, longest in ipairs(request.longest_us) do
    local micros = wait()
    if micros > longest then
      reply[n] = -1
    else
      reply[n], free_at, reserved = micros, free_at + interval, true
    end
  end
  reply[#reply + 1] = wait()
  if reserved then
    -- A number of microseconds has 16 digits, and Lua writes 14 by itself. Rounded up, so that no interval is shorter.
    call('SET', key, string.format('%.0f', free_at), 'PX', math.ceil((free_at - MICROS) / 1000) + 1)
  end
  return reply
end
