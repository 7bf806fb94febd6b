-- Indexes of waiting jobs, so that a listing costs what it lists. `listed:backlogs` holds every backlog that is not empty,
-- `listed:delayed` and `listed:ending` every job in that state. All scores are 0, so members are in the order of their
-- bytes, the members of a tenant side by side: each begins with `<tenant>/`. Claimed jobs are in `ready`.
--
-- Used by: fn_claim, fn_inspect, backlog, job.

function Listing.add(name, id)
  call('ZADD', Key.listed(name), 0, id)
end

function Listing.remove(name, id)
  call('ZREM', Key.listed(name), id)
end

function Listing.backlog_name(tenant, context, limit_key, priority)
  return tenant .. '/' .. context .. '/' .. limit_key .. ':' .. priority
end

function Listing.add_backlog(tenant, context, limit_key, priority)
  Listing.add('backlogs', Listing.backlog_name(tenant, context, limit_key, priority))
end

-- `names`: a list of names of backlogs that are empty.
function Listing.remove_backlogs(names)
  if #names > 0 then
    call('ZREM', Key.listed('backlogs'), unpack(names))
  end
end

-- At most `count` members of an index, of one tenant ('': all), after `position` ('': from the beginning).
function Listing.page(name, tenant, position, count)
  -- '0' is the byte after '/'.
  local from, to = tenant == '' and '-' or '[' .. tenant .. '/', tenant == '' and '+' or '(' .. tenant .. '0'
  if position ~= '' then
    from = '(' .. position
  end
  return call('ZRANGE', Key.listed(name), from, to, 'BYLEX', 'LIMIT', 0, count)
end
