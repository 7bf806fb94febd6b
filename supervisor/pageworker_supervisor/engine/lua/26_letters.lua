-- Dead letters: jobs that did not succeed and were kept with their last error, and texts that were no jobs.

local function was_rejected(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'reason' then
      return fields[i + 1] == 'rejected'
    end
  end
  return false
end

-- revive: ARGV: entry, then a ticket as for enqueue. The job is queued anew under its own id; its result so far goes
-- with the new one. Replies queued, duplicate (the id waits or runs again already, or a rejected job was pushed again and
-- has ended) or gone (no such letter).
local function revive(argv)
  local entry = call('XRANGE', P .. 'dead', argv[1], argv[1])[1]
  if not entry then
    return 'gone'
  end
  if call('EXISTS', P .. 'job:' .. argv[2]) == 1 or (was_rejected(entry[2]) and Push.is_used(argv[2])) then
    return 'duplicate'
  end
  call('DEL', P .. 'done:' .. argv[2], P .. 'kept:' .. argv[2])
  enqueue_one(argv, 2)
  call('XDEL', P .. 'dead', argv[1])
  Wakes.flush()
  return 'queued'
end
