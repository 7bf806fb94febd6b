-- apply_event: for tests only, not registered in production. Applies one event to a job, without what belongs to it.
--   request: ref, event
--   reply: the state that follows
local function apply_event(request)
  local job = { state = Job.state(request.ref) }
  Job.transition(request.ref, job, request.event)
  return job.state
end
