-- Side effects of a job that must not repeat, as its module names them. `once:<job>` holds one field per key: `begun` and
-- the call that has begun it, or `done` and the value that the module stored with it.
--
-- once
--   request: ref, token, key, call (name of this call; a repeated one has the same), most (keys of a job), act:
--     begin  It is about to happen.  Reply `begun`: this call has begun it. `done`, and the value. `unknown`: another call
--            has begun it, and nothing says whether it happened. `full`: the job has `most` keys.
--     done   It has happened. `value` is JSON (optional).  Reply `done` and the value, or `full`.
--     drop   It has not happened, and may be begun again.  Reply `dropped`.
--   reply: state, value ('' if none); `lost` if the lease is not (any more) the caller's
--
-- The key lives as long as the job and its result. The field `once` of the job's record says that the key belongs to this
-- job: an earlier job of the same id may have left one.

local BEGUN, DONE = 'begun ', 'done '

local function begin_once(request, key, known)
  if known == BEGUN .. request.call then
    return { 'begun', '' }
  end
  if known then
    local is_done = string.sub(known, 1, #DONE) == DONE
    return is_done and { 'done', string.sub(known, #DONE + 1) } or { 'unknown', '' }
  end
  call('HSET', key, request.key, BEGUN .. request.call)
  return { 'begun', '' }
end

function Once.act(request)
  local id, key = request.ref, Key.once(request.ref)
  local f = call('HMGET', Key.job(id), 'token', 'once')
  if f[1] ~= request.token then
    return { 'lost', '' }
  end
  if not f[2] then
    call('DEL', key)
    call('HSET', Key.job(id), 'once', 1)
  end
  local known = call('HGET', key, request.key)
  if request.act == 'drop' then
    call('HDEL', key, request.key)
    return { 'dropped', '' }
  end
  if not known and call('HLEN', key) >= request.most then
    return { 'full', '' }
  end
  if request.act == 'begin' then
    return begin_once(request, key, known)
  end
  call('HSET', key, request.key, DONE .. (request.value or ''))
  return { 'done', request.value or '' }
end
