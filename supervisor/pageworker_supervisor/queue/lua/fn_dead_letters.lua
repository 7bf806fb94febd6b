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
  Letters.drop(argv[1], entry[2])
  Wakes.flush()
  return 'queued'
end

-- purge: ARGV: entries. Replies how many there were.
local function purge(argv)
  local count = 0
  for _, entry in ipairs(argv) do
    local found = call('XRANGE', P .. 'dead', entry, entry)[1]
    if found then
      Letters.drop(entry, found[2])
      count = count + 1
    end
  end
  return count
end

-- letters: ARGV: tenant, before (the position that the last page ended with, '' from the newest), at most.
-- Replies: where this page ends ('' there is no more), entries. What a tenant has is found without looking at others'.
local function letters(argv)
  local last = argv[2] == '' and '+inf' or '(' .. argv[2]
  local key = P .. 'dead:of:' .. argv[1]
  local page = call('ZRANGE', key, last, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, argv[3], 'WITHSCORES')
  local entries, ends = {}, ''
  for i = 1, #page, 2 do
    ends = page[i + 1]
    entries[#entries + 1] = call('XRANGE', P .. 'dead', page[i], page[i])[1]
  end
  return { #page < 2 * tonumber(argv[3]) and '' or ends, entries }
end
