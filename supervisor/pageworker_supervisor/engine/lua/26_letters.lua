-- Dead letters: jobs that did not succeed and were kept with their last error, and texts that were no jobs.

-- revive: ARGV: entry, then a ticket as for enqueue. The job is queued anew under its own id; its result so far goes
-- with the new one. Replies queued, duplicate (the id waits or runs again already) or gone (no such letter).
local function revive(argv)
  local entry = call('XRANGE', P .. 'dead', argv[1], argv[1])[1]
  if not entry then
    return 'gone'
  end
  if call('EXISTS', P .. 'job:' .. argv[2]) == 1 then
    return 'duplicate'
  end
  call('DEL', P .. 'done:' .. argv[2], P .. 'kept:' .. argv[2])
  enqueue_one(argv, 2)
  call('XDEL', P .. 'dead', argv[1])
  Wakes.flush()
  return 'queued'
end
