-- A push is one reading of a producer's text, written `<digest of the text>:<reading>`. Sources deliver at least once, so
-- the same push may be read again. A reading that is certainly the first has a name of its own, which repeated calls
-- repeat. A reading that may be a second one has no name.
--
-- `done:<job>` is the mark of a job that has ended: its token, its push and, if it was rejected, `free`: its id may be
-- used again. `repeated` and `rejected` hold the newest pushes of ids whose job had ended, and of texts that are no jobs.
--
-- Used by: fn_dead_letters, fn_enqueue, fn_finish, job.

local PUSH_MEMORY_MS = 600000
local PUSHES_REMEMBERED = 10000

local function parts(push)
  return string.match(push, '^(.*):(.*)$')
end

-- True if `push` is, or may be, another reading of `earlier`.
function Push.is_same(earlier, push)
  local digest, reading = parts(push)
  local earlier_digest, earlier_reading = parts(earlier)
  return digest == earlier_digest and (reading == '' or reading == earlier_reading)
end

function Push.mark(token, push, free)
  return token .. ' ' .. push .. (free and ' free' or '')
end

-- Token and push of a job that has ended, and whether its id is free; nil if no job of this id has ended.
function Push.ended(id)
  local mark = call('GET', Key.done(id))
  if not mark then
    return nil
  end
  local token, push, free = string.match(mark, '^(%S*) (%S*) ?(%S*)$')
  return token, push, free == 'free'
end

-- True if the id has a job, or had a job that was not rejected.
function Push.is_used(id)
  if call('EXISTS', Key.job(id)) == 1 then
    return true
  end
  local token, _, free = Push.ended(id)
  return token ~= nil and not free
end

-- Remember a push in the set `key`. Returns `new`, `again` (its text was pushed before) or `same` (this reading was seen).
function Push.remember(key, push)
  local digest, reading = parts(push)
  call('ZREMRANGEBYSCORE', key, '-inf', NOW - PUSH_MEMORY_MS)
  local seen = call('ZSCORE', key, digest)
  if seen and (reading == '' or call('ZSCORE', key, push)) then
    return 'same'
  end
  call('ZADD', key, 'NX', NOW, digest)
  if reading ~= '' then
    call('ZADD', key, NOW, push)
  end
  call('ZREMRANGEBYRANK', key, 0, -1 - PUSHES_REMEMBERED)
  call('PEXPIRE', key, PUSH_MEMORY_MS)
  return seen and 'again' or 'new'
end
