-- Registers the functions by name. A function gets the shard's root as its one key and the request as its one argument, a
-- MessagePack map. With `allow-oom`, functions that free memory, or let others free it, still work at maxmemory.

local function register(name, act, flag)
  local function callback(keys, argv)
    local refusal = Shard.enter(keys[1], flag ~= 'no-writes')
    if refusal then
      return refusal
    end
    if act ~= claim then -- an idle worker's claim must cost little: it reads the clock where it needs it
      Shard.read_clock()
    end
    return act(cmsgpack.unpack(argv[1]))
  end
  redis.register_function({ function_name = 'FUNCTION_PREFIX' .. name, callback = callback, flags = { flag } })
end

register('enqueue', enqueue)
register('set_limits', set_limits, 'allow-oom')
register('reject', reject, 'allow-oom')
register('claim', claim, 'allow-oom')
register('heartbeat', heartbeat, 'allow-oom')
register('begin', begin, 'allow-oom')
register('finish', finish, 'allow-oom')
register('retry', retry, 'allow-oom')
register('crash', crash, 'allow-oom')
register('defer', defer, 'allow-oom')
register('requeue', requeue, 'allow-oom')
register('reassign', reassign, 'allow-oom')
register('release_profile', release_profile, 'allow-oom')
register('reap', reap, 'allow-oom')
register('cancel', cancel, 'allow-oom')
register('revive', revive)
register('purge', purge, 'allow-oom')
register('list_dead_letters', list_dead_letters, 'no-writes')
register('outbox_take', outbox_take, 'allow-oom')
register('outbox_done', outbox_done, 'allow-oom')
register('outbox_later', outbox_later, 'allow-oom')
register('outbox_failed', outbox_failed, 'allow-oom')
register('outbox_put', outbox_put, 'allow-oom')
register('register_worker', register_worker, 'allow-oom')
register('wake_worker', wake_worker, 'allow-oom')
register('disown_worker', disown_worker, 'allow-oom')
register('forget_worker', forget_worker, 'allow-oom')
register('pause', pause, 'allow-oom')
register('unpause', unpause, 'allow-oom')
register('list_pauses', list_pauses, 'no-writes')
register('reserve_request', reserve_request, 'allow-oom')
register('config_propose', Config.propose, 'allow-oom')
register('config_look', Config.look, 'allow-oom')
register('config_vote', Config.vote, 'allow-oom')
register('config_restore', Config.restore, 'allow-oom')
register('config_leave', Config.leave, 'allow-oom')
register('config_outcome', Config.outcome, 'allow-oom')
register('config_state', Config.state, 'no-writes')
register('check_schema', check_schema, 'no-writes')
register('list_jobs', list_jobs, 'no-writes')
register('show_job', show_job, 'no-writes')
register('stats', stats, 'no-writes')
register('demand', demand, 'no-writes')
register('scaling_sample', scaling_sample, 'allow-oom')
register('audit', audit, 'no-writes')
if TEST_CLOCK then
  register('apply_event', apply_event)
end
