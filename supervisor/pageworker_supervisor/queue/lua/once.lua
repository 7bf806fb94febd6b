-- How long the records of side effects are kept: `once:<job>`, see fn_once.lua.
--
-- Used by: job, fn_dead_letters, fn_enqueue.

local LETTER_MS = 30 * 24 * 3600 * 1000 -- a dead letter may be retried for as long

-- The job has ended, and its result is kept for `ttl`. `dead`: it has a dead letter.
function Once.keep(id, job, ttl, dead)
  if job.once then
    call('PEXPIRE', Key.once(id), dead and max(ttl, LETTER_MS) or ttl)
  end
end

-- The id has a job again, which goes on with what the earlier one has begun.
function Once.take_over(id)
  if call('PERSIST', Key.once(id)) == 1 then
    call('HSET', Key.job(id), 'once', 1)
  end
end
