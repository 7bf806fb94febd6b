-- The history of a job: one line per transition, in their order. Job.transition adds them with the state, in one command.
--
-- A line is `<code><time>`: EVENT_CODE of the event, then milliseconds since the epoch in hexadecimal digits. The line that
-- ends a lease has facts as JSON behind that: the worker, the token, what the attempt used as its worker reported it, and why
-- a worker put the job off. A claim needs none of them: while the lease lasts, they are in the job's record.
--
-- Above HISTORY_BYTES, lines between the first and the newest are dropped. `*<number>` stands for them.
--
-- When the job ends, `timeline:<job>` gets its history for as long as its result is kept. What happens to the callback
-- follows there.
--
-- Used by: job, fn_dead_letters, fn_enqueue, fn_inspect, fn_lease, fn_outbox.

local HISTORY_BYTES = 8192
local FIRST_LINES = 8
local FIRST_BYTES = 3072
local NEWEST_BYTES = 4096
local REASON_BYTES = 500

local function shortened(text)
  local lines, dropped = {}, 0
  for line in string.gmatch(text, '[^\n]+') do
    local count = string.match(line, '^%*(%d+)$')
    if count then
      dropped = tonumber(count)
    else
      lines[#lines + 1] = line
    end
  end
  if #lines < 3 then
    return text
  end
  local first, bytes = 1, #lines[1]
  while first < FIRST_LINES and first < #lines - 1 and bytes + #lines[first + 1] <= FIRST_BYTES do
    first = first + 1
    bytes = bytes + #lines[first]
  end
  local newest = #lines
  bytes = #lines[newest]
  while newest > first + 1 and bytes + #lines[newest - 1] <= NEWEST_BYTES do
    newest = newest - 1
    bytes = bytes + #lines[newest]
  end
  dropped = dropped + newest - first - 1
  local kept = table.concat(lines, '\n', 1, first)
  if dropped > 0 then
    kept = kept .. '\n*' .. string.format('%.0f', dropped)
  end
  return kept .. '\n' .. table.concat(lines, '\n', newest)
end

local function extended(text, code, facts)
  local line = code .. string.format('%x', NOW) .. (facts or '')
  text = text ~= '' and (text .. '\n' .. line) or line
  return #text > HISTORY_BYTES and shortened(text) or text
end

-- What the line that ends a lease tells.
local function lease_facts(job)
  local facts = '{"worker":' .. cjson.encode(job.worker or '') .. ',"token":"' .. (job.token or '') .. '"'
  if job.used and job.used ~= '' then
    facts = facts .. ',"used":' .. job.used
  end
  if job.defer_reason then
    facts = facts .. ',"reason":' .. cjson.encode(string.sub(job.defer_reason, 1, REASON_BYTES))
  end
  return facts .. '}'
end

-- The job's history with this event. Its field `history` is read where the caller has not read it.
function History.add(id, job, event, before, after)
  if job.history == nil then
    job.history = call('HGET', Key.job(id), 'history')
  end
  local leased = before == State.RUNNING or before == State.STORING or before == State.FINISHING
  local ends_lease = leased and after ~= before and after ~= State.STORING
  job.history = extended(job.history or '', EVENT_CODE[event], ends_lease and lease_facts(job))
  return job.history
end

-- The job has ended.
function History.keep(id, history, ttl)
  call('SET', Key.timeline(id), history, 'PX', ttl)
end

-- What is kept of a job that has ended, nil if nothing is.
function History.kept(id)
  return call('GET', Key.timeline(id)) or nil
end

-- Something has happened to the callback of a job that has ended. `facts`: JSON.
function History.add_callback(id, code, facts)
  local kept = History.kept(id)
  if kept then
    call('SET', Key.timeline(id), extended(kept, code, facts), 'KEEPTTL')
  end
end
