-- The audit log: a stream on shard 0 whose entries are `<number>-0`. Writers compute the codes of the records, because
-- Redis has no key; these functions keep the order. supervisor/pageworker_supervisor/audit has the format.
--
-- record_head
--   request: seen: number of a record (0: none)
--   reply: seq, mac: of the newest record ('' and 0: none); seen_mac: of the record `seen`, '' if it is not stored; now_ms;
--     length; first, first_at_ms: of the oldest record (absent: none)
-- record_append
--   request: seq, previous, at_ms, mac, line; trim_through: drop the records up to this number (optional)
--   reply: `stored` (also when the same call came before, and others since) or `behind`: `seq` does not follow the newest
--     record, or `previous` is not its code

local function stored_mac(number)
  local entry = number > 0 and call('XRANGE', Key.audit(), number .. '-0', number .. '-0')[1]
  return entry and entry[2][2] or ''
end

-- Number and code of the newest record. Without the hash, the stream tells. Its last id outlives its entries.
local function newest_record()
  local f = call('HMGET', Key.audit_head(), 'seq', 'mac')
  if f[1] then
    return tonumber(f[1]), f[2] or ''
  end
  local info = redis.pcall('XINFO', 'STREAM', Key.audit())
  if info.err then
    return 0, ''
  end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      local seq = tonumber(string.match(info[i + 1], '^(%d+)'))
      return seq, stored_mac(seq)
    end
  end
  return 0, ''
end

local function record_head(request)
  local seq, mac = newest_record()
  local first = call('XRANGE', Key.audit(), '-', '+', 'COUNT', 1)[1]
  return { cmsgpack.pack({
    seq = seq, mac = mac, seen_mac = stored_mac(request.seen), now_ms = NOW, length = call('XLEN', Key.audit()),
    first = first and tonumber(string.match(first[1], '^(%d+)')) or nil,
    first_at_ms = first and tonumber(first[2][4]) or nil,
  }) }
end

local function record_append(request)
  local seq, mac = newest_record()
  if request.seq == seq and request.mac == mac or stored_mac(request.seq) == request.mac then
    return 'stored' -- others may have followed before the call came again
  end
  if request.seq ~= seq + 1 or request.previous ~= mac then
    return 'behind'
  end
  local words = { Key.audit() }
  if request.trim_through then
    -- In one command with the record, and with no other right than to add one.
    words = { Key.audit(), 'MINID', '=', string.format('%.0f-0', request.trim_through + 1) }
  end
  words[#words + 1] = string.format('%.0f-0', request.seq)
  for _, word in ipairs({ 'mac', request.mac, 'at_ms', request.at_ms, 'line', request.line }) do
    words[#words + 1] = word
  end
  call('XADD', unpack(words))
  call('HSET', Key.audit_head(), 'seq', string.format('%.0f', request.seq), 'mac', request.mac)
  return 'stored'
end
