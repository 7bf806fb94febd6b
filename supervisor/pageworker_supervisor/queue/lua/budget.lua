-- Budgets of tenants: how much the jobs of a tenant may use per day and per month (UTC). They count what usage.lua counts,
-- when a job ends. A tenant that has used one up is paused until the period ends, as by an operator (see pause.lua): its
-- jobs wait, those that run go on. The pause is one of kind `b`, beside a pause by an operator.
--
-- A budget is a text of the table of limits, such as `page_seconds_per_day=3600 jobs_per_month=1000`. `budget:<tenant>` has
-- the sums of the running periods, `day` and `month`: the first day of the period, page_ms, jobs, bytes. Sums that are
-- missing, or of another period, are made from the hours of usage.lua. `told` names the levels that were told.
--
-- A tenant without a budget pays no command for this.
--
-- Used by: fn_enqueue, fn_tenants, usage.

local DAY_MS = 86400000
local KEPT_SECONDS = 32 * 86400
local TOLD_PERCENT = 80
local USED = { page_ms = true, requests = true, bytes_in = true, bytes_out = true } -- the other numbers count jobs
local PERIODS = { 'day', 'month' }

local function add_usage(sums, spent)
  sums.page_ms = sums.page_ms + (spent.page_ms or 0)
  sums.bytes = sums.bytes + (spent.bytes_in or 0) + (spent.bytes_out or 0)
  sums.jobs = sums.jobs + (spent.jobs or 0)
end

-- The sums of these days, from the hours.
local function sum_of_days(tenant, first, last)
  local sums = { page_ms = 0, jobs = 0, bytes = 0 }
  for day = first, last do
    local flat = call('HGETALL', Key.usage(tenant, string.format('%d', day)))
    for hour = 2, #flat, 2 do
      local spent, at = { jobs = 0 }, 0
      for digits in string.gmatch(flat[hour], '%d+') do
        at = at + 1
        local name = USAGE_NUMBERS[at]
        if name and USED[name] then
          spent[name] = tonumber(digits)
        elseif name then
          spent.jobs = spent.jobs + tonumber(digits)
        end
      end
      add_usage(sums, spent)
    end
  end
  return sums
end

-- The first day of a period, in days since the epoch.
local function first_of(period, today)
  return period == 'day' and today or today - tonumber(string.sub(rfc3339(NOW), 9, 10)) + 1
end

-- When the period with this first day ends, in milliseconds.
local function end_of(period, first)
  local after = first + 1
  while period == 'month' and string.sub(rfc3339(after * DAY_MS), 9, 10) ~= '01' do
    after = after + 1
  end
  return after * DAY_MS
end

-- The sums of the running periods by period. `spent`: of a job that has just ended, and that the hours have already.
local function running_sums(tenant, stored, spent)
  local today, sums = floor(NOW / DAY_MS), {}
  for i, period in ipairs(PERIODS) do
    local first = first_of(period, today)
    local of, page_ms, jobs, bytes = string.match(stored[i] or '', '^(%d+) (%d+) (%d+) (%d+)$')
    if tonumber(of) == first then
      sums[period] = { page_ms = tonumber(page_ms), jobs = tonumber(jobs), bytes = tonumber(bytes) }
      add_usage(sums[period], spent)
    else
      sums[period] = sum_of_days(tenant, first, today)
    end
    sums[period].first = first
  end
  return sums
end

-- Each limit of a budget: name, limit, used, period.
local function each_limit(budget, sums)
  local found = {}
  for what, period, limit in string.gmatch(budget, '([%a_]-)_per_(%a+)=(%S+)') do
    local sum = sums[period]
    local used = sum and (what == 'page_seconds' and sum.page_ms / 1000 or sum[what])
    if used then
      found[#found + 1] = {
        name = what .. '_per_' .. period, limit = tonumber(limit), used = used, period = period, first = sum.first,
      }
    end
  end
  return found
end

local function tell(tenant, each, percent)
  local event = { event = 'budget', tenant_id = tenant, at = rfc3339(NOW), detail = {
    budget = each.name, limit = each.limit, used = each.used, percent = percent,
    ['until'] = rfc3339(end_of(each.period, each.first)),
  } }
  Subscriptions.publish(tenant, cjson.encode(event))
end

-- Tell the levels that were reached and not told in this period. Returns what is told by now.
local function tell_levels(tenant, limits, told)
  local words = {}
  for _, each in ipairs(limits) do
    local name = string.format('%s@%d=', each.name, each.first)
    local before = tonumber(string.match(told, string.gsub(name, '%p', '%%%0') .. '(%d+)')) or 0
    local percent = each.used >= each.limit and 100
      or each.used * 100 >= each.limit * TOLD_PERCENT and TOLD_PERCENT
      or 0
    if percent > before then
      tell(tenant, each, percent)
    end
    -- A budget that was raised is told again: what was told is the level that it has now.
    words[#words + 1] = name .. percent
  end
  return table.concat(words, ' ')
end

-- Pause the tenant for what is used up, or end its pause.
local function pause_or_end(tenant, limits)
  local names, until_ms = {}, 0
  for _, each in ipairs(limits) do
    if each.used >= each.limit then
      names[#names + 1] = string.format('%s of %.15g', each.name, each.limit)
      until_ms = max(until_ms, end_of(each.period, each.first))
    end
  end
  if #names == 0 then
    Pause.remove('b', tenant, 'its budget')
    return
  end
  local reason = 'budget ' .. table.concat(names, ', ') .. ' is used up'
  Pause.set('b', tenant, {
    id = reason .. ' ' .. until_ms, reason = reason, by = 'its budget', since_ms = NOW, until_ms = until_ms, tells = true,
  })
end

local function apply(tenant, budget, spent)
  local key = Key.budget(tenant)
  local stored = call('HMGET', key, 'day', 'month', 'told')
  local sums = running_sums(tenant, stored, spent)
  local limits = each_limit(budget, sums)
  local fields = { 'told', tell_levels(tenant, limits, stored[3] or '') }
  for _, period in ipairs(PERIODS) do
    local sum = sums[period]
    fields[#fields + 1] = period
    fields[#fields + 1] = string.format('%d %.0f %.0f %.0f', sum.first, sum.page_ms, sum.jobs, sum.bytes)
  end
  call('HSET', key, unpack(fields))
  call('EXPIRE', key, KEPT_SECONDS)
  pause_or_end(tenant, limits)
end

-- A job of the tenant has ended, and its hour has it. `spent`: as in Tenant.count_usage.
function Tenant.use_budget(tenant, spent)
  local budget = LimitsTable.budget(tenant)
  if budget then
    apply(tenant, budget, {
      page_ms = spent.page_ms, bytes_in = spent.bytes_in, bytes_out = spent.bytes_out, jobs = 1,
    })
  end
end

-- Another table of limits is in force: what a budget pauses follows its new value at once. `before`: the table until now.
function Tenant.apply_budgets(before)
  local tenants = {}
  for _, key in ipairs({ Key.parked(), Key.active() }) do
    for _, tenant in ipairs(call('ZRANGE', key, 0, -1)) do
      tenants[tenant] = LimitsTable.budget(tenant) ~= nil
    end
  end
  for _, pause in ipairs(Pause.all()) do
    if pause.kind == 'b' then
      tenants[pause.name] = true
    end
  end
  for tenant, has_to_do in pairs(tenants) do
    local budget = LimitsTable.budget(tenant)
    if not budget then
      Pause.remove('b', tenant, 'its budget')
    elseif has_to_do and budget ~= (before and LimitsTable.budget(tenant, before)) then
      apply(tenant, budget, {})
    end
  end
end

-- For readers: name, limit, used and ends_ms of each limit. nil: the tenant has no budget.
function Tenant.budgets(tenant)
  local budget = LimitsTable.budget(tenant)
  if not budget then
    return nil
  end
  local limits = each_limit(budget, running_sums(tenant, call('HMGET', Key.budget(tenant), 'day', 'month'), {}))
  for i, each in ipairs(limits) do
    limits[i] = { name = each.name, limit = each.limit, used = each.used, ends_ms = end_of(each.period, each.first) }
  end
  return limits
end
