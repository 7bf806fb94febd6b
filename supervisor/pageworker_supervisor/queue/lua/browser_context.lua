-- A context: the jobs that may share one runner, and with it one browser context. Its text within its tenant is written
-- and read by `contract/context_key.py` and by Context.parse, and by nothing else: `~<values>` is the tenant's ephemeral
-- context, `!<values>` belongs to one job that runs alone in a runner, `<profile>~<values>` is a context of a profile.
-- <values> is one text here: the digest of the hosts that the jobs' modules may reach, and what else tells contexts apart.
-- Only the proxy policy (`+p<policy>`), `+1` and `+j` are read here: they limit the pages of a runner. `+j`: it runs one job.
--
-- `context:<tenant>/<context>:<priority>` holds the limit keys of its backlogs that can run, `open:<tenant>:<priority>` the
-- contexts of a tenant that any worker may open. Both are served in turn: the score is the stamp of the last service.
-- The contexts of a profile that a worker holds are not open; their work shows in `held_contexts:<tenant>`.
--
-- Used by: fn_check_consistency, fn_claim, backlog, claim_capacity, fleet, shared_quota, job, profile_lock, wakeup.

local context_cache = { size = 0 } -- parsed texts; emptied when it grows

-- {profile (nil: none), exclusive (it belongs to one job), values} of a context's text.
function Context.parse(text)
  local found = context_cache[text]
  if found then
    return found
  end
  local profile, mark, values = string.match(text, '^([^~!]*)([~!])(.*)$')
  if context_cache.size > 1000 then
    context_cache = { size = 0 }
  end
  context_cache.size = context_cache.size + 1
  local proxy = string.match(values .. '+', '%+p([^+]*)%+')
  found = { profile = profile ~= '' and profile or nil, exclusive = mark == '!', values = values, proxy = proxy or '' }
  local ended = values .. '+'
  found.one_page = string.find(ended, '+1+', 1, true) ~= nil or string.find(ended, '+j+', 1, true) ~= nil
  context_cache[text] = found
  return found
end

local function text_of(profile, exclusive, values)
  return (profile or '') .. (exclusive and '!' or '~') .. values
end

-- The profile's name, or nil.
function Context.profile(context)
  return Context.parse(context).profile
end

-- The name of its proxy policy, '' for none.
function Context.proxy(context)
  return Context.parse(context).proxy
end

-- Whether a runner of it has one page, whatever the worker's settings say.
function Context.is_one_page(context)
  return Context.parse(context).one_page
end

function Context.is_ephemeral(context)
  local key = Context.parse(context)
  return not key.profile and not key.exclusive
end

function Context.is_exclusive(context)
  return Context.parse(context).exclusive
end

-- The same context for one job alone. A profile has one runner anyway.
function Context.exclusive(context)
  local key = Context.parse(context)
  return key.profile and context or text_of(nil, true, key.values)
end

-- The same context with other hosts or options.
function Context.with_values(context, values)
  local key = Context.parse(context)
  return text_of(key.profile, key.exclusive, values)
end

function Context.has_work(tenant, context)
  return call(
    'EXISTS', Key.context(tenant, context, 'h'), Key.context(tenant, context, 'm'), Key.context(tenant, context, 'l')
  ) > 0
end

-- A backlog can run.
function Context.add_backlog(tenant, context, limit_key, priority, stamp)
  stamp = stamp or Shard.stamp()
  local key = Key.context(tenant, context, priority)
  if call('ZADD', key, 'NX', stamp, limit_key) == 0 or call('ZCARD', key) > 1 then
    return
  end
  local profile = Context.profile(context)
  if profile then
    Profile.add_context(tenant, profile, context)
    if Profile.is_held(tenant, profile) then
      Profile.add_waiting(tenant, context)
      if not Tenant.is_parked(tenant) then
        Profile.wake_holder(tenant, profile)
      end
      return
    end
  end
  Tenant.open(tenant, priority, context, stamp)
end

-- A backlog is empty, or waits for its domain or module. True if it was the context's last one at this priority.
-- What the caller has read saves commands; nil: not known. `has_others`: whether the context has other backlogs at this
-- priority. `tenant_has_others`: true if the tenant has other open contexts at it. `held`: whether a worker holds the
-- context's profile.
function Context.drop_backlog(tenant, context, limit_key, priority, has_others, tenant_has_others, held)
  local key = Key.context(tenant, context, priority)
  if call('ZREM', key, limit_key) == 0 or has_others or (has_others == nil and call('EXISTS', key) == 1) then
    return false
  end
  Tenant.close(tenant, priority, context, tenant_has_others)
  local profile = Context.profile(context)
  if profile and not Context.has_work(tenant, context) then
    Profile.remove_context(tenant, profile, context, held)
  end
  return true
end
