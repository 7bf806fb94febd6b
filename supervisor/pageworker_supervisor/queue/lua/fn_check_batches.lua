-- The batches' part of check_consistency: each batch against its jobs. See fn_check_consistency.lua.

function ConsistencyCheck:batch(ref)
  local batch = Batch.read(ref)
  if not batch then
    self:report('batch %s has no state', ref)
    return false
  end
  local tenant, sums, ended = Batch.parts(ref), {}, {}
  local ends = call('HGETALL', Key.batch_ends(ref))
  for i = 1, #ends, 2 do
    local status = string.match(ends[i + 1], '^%S+')
    ended[ends[i]] = true
    sums[status] = (sums[status] or 0) + 1
    if not call('ZSCORE', Key.batch_jobs(ref), ends[i]) then
      self:report('batch %s counts %s, which it does not have', ref, ends[i])
    end
  end
  for _, status in ipairs(Batch.STATUSES) do
    if (sums[status] or 0) ~= number(batch[status]) then
      self:report('batch %s has %d jobs that ended %s, counted %d', ref, sums[status] or 0, status, number(batch[status]))
    end
  end
  local members, running = call('ZRANGE', Key.batch_jobs(ref), 0, -1), 0
  if #members ~= number(batch.added) then
    self:report('batch %s has %d jobs, counted %d', ref, #members, number(batch.added))
  end
  for _, own_id in ipairs(members) do
    local f = call('HMGET', Key.job(tenant .. '/' .. own_id), 'state', 'batch')
    local belongs = f[2] == ref
    if belongs == (ended[own_id] or false) then
      self:report('batch %s: job %s has ended: %s, has a record: %s', ref, own_id, tostring(ended[own_id]), tostring(belongs))
    end
    if belongs and (f[1] == State.RUNNING or f[1] == State.STORING) then
      running = running + 1
      if call('SISMEMBER', Key.batch_running(ref), own_id) == 0 then
        self:report('batch %s does not know that %s runs', ref, own_id)
      end
    end
  end
  if call('SCARD', Key.batch_running(ref)) ~= running then
    self:report('batch %s has %d running jobs, counted %d', ref, running, call('SCARD', Key.batch_running(ref)))
  end
  if not call('ZSCORE', Key.batches(), ref) or not call('ZSCORE', Key.batches_due(), ref) then
    self:report('batch %s is not listed, or never looked at', ref)
  end
  if batch.state == Batch.State.CLOSED and Batch.ended(batch) == #members then
    self:report('batch %s waits for no job, and is not complete', ref)
  end
  return batch.state ~= Batch.State.COMPLETE
end

function ConsistencyCheck:batches()
  local open = 0
  for ref in pairs(self:keys(Key.batch(''))) do
    open = open + (self:batch(ref) and 1 or 0)
  end
  local counted = number(call('HGET', Key.meta(), 'batches'))
  if open ~= counted then
    self:report('%d batches are not complete, counted %d', open, counted)
  end
end
