-- Until when no job of a profile may start, because a site has blocked one. `profile_cooling:<tenant>/<profile>` exists as
-- long as the profile cools down. A claim does not look at it: the worker defers the job that it has claimed.
--
-- cool_profile
--   request: tenant, profile, for_ms. A longer cool-down that is in force stays.
--   reply: milliseconds until it ends
-- read_profile_cooling
--   request: tenant, profile
--   reply: milliseconds until the cool-down ends; 0: the profile does not cool down

function Profile.cooling(request)
  return max(0, call('PTTL', Key.profile_cooling(request.tenant, request.profile)))
end

function Profile.cool(request)
  local left = Profile.cooling(request)
  if left >= request.for_ms then
    return left
  end
  call('SET', Key.profile_cooling(request.tenant, request.profile), NOW_TEXT, 'PX', request.for_ms)
  return request.for_ms
end
