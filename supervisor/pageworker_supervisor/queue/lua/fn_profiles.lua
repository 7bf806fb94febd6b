-- Where a profile lives. `profile_store:<tenant>/<profile>` holds the id of the `store` with its data, the `host` that
-- opened it there last, and `kept`: 1 once a snapshot of it was stored. It stays until the profile is removed: a worker with
-- another store must not begin the profile anew, however long it was not used.
--
-- claim_profile_store
--   request: tenant, profile, store, host; keep (true: a snapshot is in this store, so it lives here, wherever it lived)
--   reply: store, host, kept: of the record as it is now. Another store than that of the request: nothing was changed.
-- forget_profile_store
--   request: tenant, profile. Reply 1: there was a record. What is known of its login goes as well.
-- profile_event
--   request: tenant, event (its text). It is published on the channel of the tenant.
-- read_profiles
--   request: tenant, profiles (list). Reply: MessagePack list with worker, store and host of each ('' where there is none),
--   and of a lock its fence and left_ms: until it runs out. Below 0 it has, and no reap has released it.
-- hold_profile
--   request: tenant, profile, holder; ask (true: a worker that holds it idle is asked to let it go). A command
--   locks the profile as a worker does, so that no worker claims its jobs meanwhile. `holder` names this call of the
--   command: the same request again extends its lock. `release_profile` ends it.
--   reply: the holder, which may be another one, and the fence. The command has to extend the lock, as a worker does.

function Profile.claim_store(request)
  local key = Key.profile_store(request.tenant, request.profile)
  local found = call('HMGET', key, 'store', 'host', 'kept')
  if found[1] and found[1] ~= request.store and not request.keep then
    return { found[1], found[2] or '', found[3] or '0' }
  end
  local kept = (request.keep or found[3] == '1') and '1' or '0'
  call('HSET', key, 'store', request.store, 'host', request.host, 'kept', kept)
  return { request.store, request.host, kept }
end

function Profile.forget_store(request)
  call('DEL', Key.profile_login(request.tenant, request.profile))
  return call('DEL', Key.profile_store(request.tenant, request.profile))
end

function Profile.tell(request)
  Subscriptions.publish(request.tenant, request.event)
  return 1
end

function Profile.read(request)
  local found = {}
  for i, profile in ipairs(request.profiles) do
    local record = call('HMGET', Key.profile_store(request.tenant, profile), 'store', 'host')
    local worker, fence = Profile.holder(request.tenant, profile)
    local ends = worker and call('ZSCORE', Key.profile_locks(), request.tenant .. '/' .. profile)
    found[i] = {
      worker = worker or '', store = record[1] or '', host = record[2] or '',
      fence = fence, left_ms = worker and number(ends) - NOW or nil,
    }
  end
  return { cmsgpack.pack(found) }
end

function Profile.hold(request)
  local worker, fence = Profile.holder(request.tenant, request.profile)
  if not worker then
    fence = Profile.fence_text(Profile.next_fence())
    call('HSET', Key.meta(), 'fence', fence)
    Profile.lock(request.tenant, request.profile, request.holder, nil, fence)
  elseif worker == request.holder then
    call('ZADD', Key.profile_locks(), NOW + LEASE_MS, request.tenant .. '/' .. request.profile)
  elseif request.ask then
    Profile.ask_holder(request.tenant, request.profile)
  end
  return { worker or request.holder, fence }
end
