-- Whether the browser of a profile is logged in. `profile_login:<tenant>/<profile>` holds the `state`, a `ProfileLogin`;
-- `since`: when it changed; `reported_at`; and of the report that brought the state its `module`, `job`, `url` and
-- `evidence` (JSON). The table is LOGIN_TRANSITIONS, of contract/profile_login.py.
--
-- report_profile_login
--   request: tenant, profile, event (a `LoginEvent`), module, job, url, evidence (JSON of a map of texts)
--   reply: the state before, and the state now. A change is published on the channel of the tenant.
-- read_profile_logins
--   request: tenant, profiles (list). Reply: MessagePack list with the fields of each; none of a profile without a record.

local KEPT_SECONDS = 90 * 24 * 3600
local FIELDS = { 'state', 'since', 'reported_at', 'module', 'job', 'url', 'evidence' }

local function tell_change(request, before, after)
  local detail = {
    profile_id = request.profile, state = after, was = before, module = request.module, job_id = request.job,
    url = request.url, evidence = request.evidence,
  }
  local event = { event = 'profile_state', tenant_id = request.tenant, at = rfc3339(NOW), detail = detail }
  Subscriptions.publish(request.tenant, cjson.encode(event))
end

function Profile.report_login(request)
  local key = Key.profile_login(request.tenant, request.profile)
  local before = call('HGET', key, 'state') or 'unknown'
  local after = LOGIN_TRANSITIONS[before][request.event]
  if not after then
    return redis.error_reply('ERR event ' .. tostring(request.event) .. ' of a login is not known')
  end
  if after == 'unknown' then
    call('DEL', key)
    return { before, after }
  end
  call('HSET', key, 'reported_at', NOW_TEXT)
  if before ~= after then
    call('HSET', key, 'state', after, 'since', NOW_TEXT)
    tell_change(request, before, after)
  end
  if after == request.event then -- not the evidence of a report that changed nothing
    local evidence = cjson.encode(request.evidence)
    call('HSET', key, 'module', request.module, 'job', request.job, 'url', request.url, 'evidence', evidence)
  end
  call('EXPIRE', key, KEPT_SECONDS)
  return { before, after }
end

function Profile.read_logins(request)
  local found = {}
  for i, profile in ipairs(request.profiles) do
    local values = call('HMGET', Key.profile_login(request.tenant, profile), unpack(FIELDS))
    local record = {}
    for n, name in ipairs(FIELDS) do
      record[name] = values[n] or ''
    end
    found[i] = record
  end
  return { cmsgpack.pack(found) }
end
