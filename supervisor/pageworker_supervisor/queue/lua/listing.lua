-- Indexes of what waits, so that a listing costs what it lists. `listed:lanes` has every lane that is not empty,
-- `listed:delayed` and `listed:verdict` every job in that state. All scores are 0, so members stand in the order of
-- their bytes, a tenant's side by side: each begins with `<tenant>/`. What runs is in `ready`.

function Listing.add(state, id)
  call('ZADD', P .. 'listed:' .. state, 0, id)
end

function Listing.remove(state, id)
  call('ZREM', P .. 'listed:' .. state, id)
end

local function lane_name(t, c, d, p)
  return t .. '/' .. c .. '/' .. d .. ':' .. p
end

function Listing.add_lane(t, c, d, p)
  call('ZADD', P .. 'listed:lanes', 0, lane_name(t, c, d, p))
end

function Listing.remove_lane(t, c, d, p)
  call('ZREM', P .. 'listed:lanes', lane_name(t, c, d, p))
end

-- Members of an index, of one tenant ('' all), after `position` ('' from the beginning), at most `most`.
function Listing.page(state, t, position, most)
  -- '0' is the byte after '/'.
  local from, to = t == '' and '-' or '[' .. t .. '/', t == '' and '+' or '(' .. t .. '0'
  if position ~= '' then
    from = '(' .. position
  end
  return call('ZRANGE', P .. 'listed:' .. state, from, to, 'BYLEX', 'LIMIT', 0, most)
end
