-- What the jobs of a tenant used, by the hour in which they ended. `usage:<tenant>:<day>` (days since the epoch) has a field per
-- hour, `0` to `23`: the numbers of USAGE_NUMBERS with spaces between. A day with few hours stays one small listpack.
--
-- read_usage
--   request: tenant, first (a day), days
--   reply: MessagePack list of lists: day, hour, text, for each hour with jobs
--
-- Used by: fn_finish.

local DAY_MS, HOUR_MS = 86400000, 3600000
local KEPT_MS = 401 * DAY_MS

-- Add a job that ends now. `spent`: page_ms, requests, bytes_in, bytes_out, of all its attempts together.
function Tenant.count_usage(tenant, status, spent)
  local day = floor(NOW / DAY_MS)
  local key, hour = Key.usage(tenant, string.format('%d', day)), floor((NOW - day * DAY_MS) / HOUR_MS)
  local known, sums = {}, {}
  for text in string.gmatch(call('HGET', key, hour) or '', '%d+') do
    known[#known + 1] = tonumber(text)
  end
  for i, name in ipairs(USAGE_NUMBERS) do
    local more = name == status and 1 or spent[name] or 0
    sums[i] = string.format('%.0f', min((known[i] or 0) + more, 2 ^ 53 - 1))
  end
  if call('HSET', key, hour, table.concat(sums, ' ')) == 1 then
    call('PEXPIRE', key, KEPT_MS)
  end
  Tenant.use_budget(tenant, spent)
end

function Tenant.read_usage(request)
  local rows = {}
  for day = request.first, request.first + request.days - 1 do
    local flat = call('HGETALL', Key.usage(request.tenant, string.format('%d', day)))
    for at = 1, #flat, 2 do
      rows[#rows + 1] = { day, readable(flat[at]), readable(flat[at + 1]) }
    end
  end
  return { cmsgpack.pack(rows) }
end
