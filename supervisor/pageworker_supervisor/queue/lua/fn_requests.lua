-- The rate of requests to one host, of all workers together. The value of a host's key is the instant at which a host with
-- burst 1 would permit the next request: the theoretical arrival time of GCRA (ITU-T I.371, annex A). A request that is
-- permitted moves it on by one interval. No key: nothing was sent lately.
--
-- reserve_request
--   request: host, interval_us (one request per interval), burst, longest_us
--   reply: microseconds until the request may begin; -1: longer than longest_us, and nothing was reserved
-- A repeated call reserves another instant. So the limit holds even then, and the first instant stays unused.

local function reserve_request(request)
  local key, interval = Key.request_rate(request.host), request.interval_us
  local free_at = max(MICROS, number(call('GET', key)))
  local wait = max(0, free_at - (request.burst - 1) * interval - MICROS)
  if wait > request.longest_us then
    return -1
  end
  -- A number of microseconds has 16 digits, and Lua writes 14 by itself. Rounded up, so that no interval is shorter.
  call('SET', key, string.format('%.0f', free_at + interval), 'PX', math.ceil((free_at + interval - MICROS) / 1000) + 1)
  return math.ceil(wait)
end
