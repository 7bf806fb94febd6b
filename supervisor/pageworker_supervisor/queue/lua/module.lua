-- A module with limits (see limits.lua, shared_quota.lua). A module without limits is counted nowhere, and its jobs are in
-- the backlogs of their domains. Jobs of a module with limits have backlogs of their own, so that they can wait for it
-- without holding up other jobs of their tenant.
--
-- Limits may come after the job: then the job is in a backlog without module. It is moved only when a claim finds it at
-- the front while its module is used up.
--
-- Used by: fn_check_consistency, fn_claim, fn_enqueue, fn_inspect, backlog, job.

-- A module that is paused is treated the same, whether or not it has limits.

-- A job that an older release queued has no field `module`: its JSON names it.
local function name_module(id, job)
  if not job.module or job.module == '' then
    local ok, body = pcall(cjson.decode, Job.body(id))
    local named = ok and type(body) == 'table' and body.endpoint_module
    job.module = type(named) == 'string' and string.match(named, '^[^@]*') or ''
  end
end

-- The job's module if that has limits, else nil.
function Module.limited(id, job)
  if not LimitsTable.has_modules() then
    return nil
  end
  name_module(id, job)
  return LimitsTable.module(job.module) and job.module or nil
end

-- The job's module if its jobs have backlogs of their own: it has limits, or is paused. Else nil.
function Module.separate(id, job)
  if not LimitsTable.has_modules() and not Pause.has_modules() then
    return nil
  end
  name_module(id, job)
  return Module.is_counted(job.module) and job.module or nil
end

-- Whether a claim looks at the quota of this module.
function Module.is_counted(name)
  return (LimitsTable.module(name) or Pause.of('m', name)) and true or false
end

-- Take a permit. The hash of a module that runs no job is kept until its tokens are full again.
function Module.take(quota, tenant)
  if quota.running == 0 and quota.is_stored then
    call('PERSIST', Key.module(quota.name))
  end
  Module:take_permit(quota, tenant)
end

function Module.release(name, tenant)
  local quota = Module:read(name, tenant)
  if quota.running <= 1 and not quota.parked and Limits.is_full(quota) then
    call('DEL', quota.key) -- a new one would say the same
    return
  end
  Module:release_permit(quota, tenant)
  if quota.running <= 0 then
    call('EXPIRE', Key.module(name), Limits.memory_seconds(quota))
  end
end
