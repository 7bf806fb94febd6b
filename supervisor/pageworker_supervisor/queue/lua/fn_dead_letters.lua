-- Dead letters: jobs that did not succeed, kept with their last error, and texts that were no jobs.
--
-- revive
--   request: entry, job: a new job as for `enqueue`. The job is queued anew under its own id; its result so far is dropped.
--   reply: `queued`, `duplicate` (the id waits or runs again already, or a rejected job was pushed again and has ended) or
--     `gone` (no such dead letter)
-- purge              request: entries. Reply: how many there were.
-- list_dead_letters  The letters of one tenant, newest first, without looking at those of others.
--   request: tenant, before ('' from the newest, else `ends` of the last page), limit
--   reply: ends (where this page ends; '' there is no more), entries of the stream

local function revive(request)
  local id, found = request.job.ref, DeadLetter.find(request.entry)
  if not found then
    return 'gone'
  end
  local job = { state = Job.state(id), history = History.kept(id) or '' }
  local was_rejected = DeadLetter.fields(found[2]).reason == 'rejected'
  if not TRANSITIONS[job.state][Event.REVIVE] or (was_rejected and Push.is_used(id)) then
    return 'duplicate'
  end
  Job.transition(id, job, Event.REVIVE)
  add_job(request.job, false, nil, job.history)
  Once.take_over(id)
  DeadLetter.drop(request.entry, found[2])
  Wakeup.flush()
  return 'queued'
end

local function purge(request)
  local count = 0
  for _, entry in ipairs(request.entries) do
    local found = DeadLetter.find(entry)
    if found then
      DeadLetter.drop(entry, found[2])
      count = count + 1
    end
  end
  return count
end

local function list_dead_letters(request)
  local last = request.before == '' and '+inf' or '(' .. request.before
  local key = Key.dead_of(request.tenant)
  local page = call('ZRANGE', key, last, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, request.limit, 'WITHSCORES')
  local entries, ends = {}, ''
  for i = 1, #page, 2 do
    ends = page[i + 1]
    entries[#entries + 1] = DeadLetter.find(page[i])
  end
  return { #page < 2 * request.limit and '' or ends, entries }
end
