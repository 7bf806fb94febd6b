-- The newest step of a job that runs, as its module reports it.
--
-- progress
--   request: ref, token, step (JSON), event (JSON to publish on the channel of the tenant)
--   reply: 1, or 0: the lease is not (any more) the caller's
--
-- Called at most once per second and job. Nothing depends on it: a call that is lost is not repeated.

function Job.tell_progress(request)
  local f = call('HMGET', Key.job(request.ref), 'token', 'tenant')
  if f[1] ~= request.token then
    return 0
  end
  call('HSET', Key.job(request.ref), 'progress', request.step)
  call('PUBLISH', PREFIX .. ':events:' .. f[2], request.event)
  return 1
end
