-- The central configuration, on shard 0. A change is a proposal: every live worker checks the whole document against its
-- own file and environment, and votes. The last vote decides, or the first call after the deadline.
--
-- A document is a map: name of a setting to its value as JSON text. `config` is the hash that people may look at and
-- edit, one field per setting. `config:meta` holds what counts: version, document, who, why, when, and the digest of the
-- document. If the hash has another digest, it was edited by hand: the first worker that looks makes a proposal of it.
--
-- Anyone with the right to write may edit each of these keys by hand. What cannot be read counts as not there: then
-- the workers restore their version, a proposal is dropped, and the record of a worker is written at its next look.
--
-- config_propose   request: id, base (version), document, who, why
--   reply: `open`, `busy` (another proposal is open), `stale` (base is not the version), `decided`
-- config_look      request: worker, version, digest, refused. This worker lives, and runs this version. `refused` is the
--   digest of the version that counts, if that is invalid for the worker: it is not told to take it again.
--   reply: head, document. head.action: `vote` (on document, as proposal head.id), `take` (document is the version that
--   counts), `restore` (Redis has an older version than the worker: it lost data), or ``.
-- config_vote      request: worker, id, problems (list of texts; empty: accepted)
-- config_restore   request: version, document, who, why, at_ms. Takes effect only above the stored version.
-- config_leave     request: worker. It stops: no change waits for its vote.
-- config_outcome   request: id. reply: the outcome (JSON), or `` while the proposal is open or not known
-- config_state     reply: head (version, digest, who, why, at_ms, edited, workers), document

local VOTE_MS = 3000
local HISTORY_LENGTH = 500
local OUTCOME_MS = 300000
local WORKERS_MS = 180000
local EDITOR = 'unknown (edited in Redis)'
local RECORD = '^(%d+) (%w*) (%d)$'

-- A JSON text whose keys have the type `key` and whose values are texts; nil if it is none.
local function texts_of(json, key)
  local read, found = pcall(cjson.decode, json)
  if not read or type(found) ~= 'table' then
    return nil
  end
  for name, text in pairs(found) do
    if type(name) ~= key or type(text) ~= 'string' then
      return nil
    end
  end
  return found
end

-- The digest of a document: equal documents have equal digests, in any order of their names.
function Config.digest(document)
  local names = {}
  for name in pairs(document) do
    names[#names + 1] = name
  end
  table.sort(names)
  local parts = {}
  for _, name in ipairs(names) do
    parts[#parts + 1] = #name .. ':' .. name .. #document[name] .. ':' .. document[name]
  end
  return redis.sha1hex(table.concat(parts))
end

function Config.stored()
  local document, flat = {}, call('HGETALL', Key.config())
  for at = 1, #flat, 2 do
    document[flat[at]] = flat[at + 1]
  end
  return document
end

-- What counts. `damaged`: it was edited by hand, and is version 0 without values until a worker restores its version.
-- `stored`: the number that stands there, above which the next version is.
function Config.meta()
  local found = call('HMGET', Key.config_meta(), 'version', 'digest', 'who', 'why', 'at_ms', 'document')
  local document = found[6] or '{}'
  local stored, values = whole(found[1]), texts_of(document, 'string')
  local version = stored
  local damaged = not values or (found[2] or Config.digest({})) ~= Config.digest(values)
  if damaged or version == 0 then
    version, values = 0, {}
  end
  return {
    version = version,
    stored = stored,
    digest = Config.digest(values),
    who = readable(found[3]),
    why = readable(found[4]),
    at_ms = whole(found[5]),
    document = document,
    values = values,
    damaged = damaged or (found[1] and version == 0),
  }
end

function Config.fill_hash(document)
  call('DEL', Key.config())
  for name, text in pairs(document) do
    call('HSET', Key.config(), name, text)
  end
end

-- Every worker that has looked, and what it has recorded (Config.record). Leaves out what is no such record.
function Config.workers()
  local workers, flat = {}, call('HGETALL', Key.config_workers())
  for at = 1, #flat, 2 do
    if is_utf8(flat[at]) and string.match(flat[at + 1], RECORD) then
      workers[flat[at]] = flat[at + 1]
    end
  end
  return workers
end

function Config.notify_workers()
  for worker in pairs(Config.workers()) do
    Wakeup.notify(worker, 'config')
  end
end

function Config.announce(event, detail)
  call('PUBLISH', PREFIX .. ':events:_fleet', cjson.encode({ event = event, detail = detail }))
end

-- Write a version: what counts, the hash, the history.
function Config.write(meta, document)
  local text = cjson.encode(document)
  local digest = Config.digest(document)
  local version = string.format('%.0f', meta.version)
  local at_ms = string.format('%.0f', meta.at_ms)
  call('HSET', Key.config_meta(), 'version', version, 'digest', digest, 'who', meta.who, 'why', meta.why,
    'at_ms', at_ms, 'document', text)
  Config.fill_hash(document)
  local entry = {
    'XADD', Key.config_history(), 'MAXLEN', '~', HISTORY_LENGTH, '*', 'version', version, 'who', meta.who,
    'why', meta.why, 'at_ms', at_ms, 'document', text,
  }
  if redis.pcall(unpack(entry)).err then
    -- Another client gave the stream its largest id, or wrote another type. The version above counts already.
    call('DEL', Key.config_history())
    call(unpack(entry))
  end
  Config.notify_workers()
end

-- The record of a worker: `version digest missed`. `missed` is 1 after it did not vote in time, until it looks again.
function Config.worker(worker)
  local text = call('HGET', Key.config_workers(), worker)
  if not text then
    return nil
  end
  local version, digest, missed = string.match(text, RECORD)
  return { version = version, digest = digest, missed = missed == '1' }
end

function Config.record(worker, version, digest, missed)
  local text = string.format('%.0f', number(version)) .. ' ' .. digest .. ' ' .. (missed and '1' or '0')
  call('HSET', Key.config_workers(), worker, text)
  call('PEXPIRE', Key.config_workers(), WORKERS_MS)
end

-- Workers that have to vote: those whose heartbeat is alive. Forgets the others, once the queue has forgotten them.
function Config.voters()
  local voters = {}
  for worker in pairs(Config.workers()) do
    local heard = call('ZSCORE', Key.workers(), worker)
    if not heard then
      call('HDEL', Key.config_workers(), worker)
    elseif number(heard) > NOW - LEASE_MS and not Config.worker(worker).missed then
      voters[#voters + 1] = worker
    end
  end
  return voters
end

-- Whether a live worker runs a version, so that it can restore it.
function Config.some_worker_has_version()
  for _, worker in ipairs(Config.voters()) do
    if number(Config.worker(worker).version) > 0 then
      return true
    end
  end
  return false
end

function Config.open_proposal()
  local found = call('HMGET', Key.config_proposal(), 'id', 'deadline', 'voters', 'document', 'who', 'why', 'edited')
  if not found[1] then
    return nil
  end
  local voters, values = texts_of(found[3], 'number'), texts_of(found[4], 'string')
  if not voters or not values then
    call('DEL', Key.config_proposal(), Key.config_votes())
    return nil
  end
  return {
    id = found[1],
    deadline = number(found[2]),
    voters = voters,
    document = found[4],
    values = values,
    who = readable(found[5]),
    why = readable(found[6]),
    edited = found[7] == '1',
  }
end

function Config.finish(id, outcome)
  local key = Key.config_outcome(id)
  call('RPUSH', key, cjson.encode(outcome))
  call('PEXPIRE', key, OUTCOME_MS)
  call('DEL', Key.config_proposal(), Key.config_votes())
end

function Config.refuse(proposal, meta, refusals, left_out)
  if proposal.edited then
    Config.fill_hash(meta.values)
  end
  local detail = {
    who = proposal.who, why = proposal.why, version = meta.version, refusals = refusals, left_out = left_out,
  }
  Config.announce('config_refused', detail)
  Config.finish(proposal.id, {
    state = 'refused', version = meta.version, refusals = refusals, left_out = left_out, agreed = {},
  })
  Config.notify_workers()
end

function Config.commit(proposal, meta, agreed, left_out)
  local version = meta.stored + 1
  Config.write({ version = version, who = proposal.who, why = proposal.why, at_ms = NOW }, proposal.values)
  Config.announce('config_changed', { who = proposal.who, why = proposal.why, version = version, left_out = left_out })
  Config.finish(proposal.id, {
    state = 'committed', version = version, refusals = {}, left_out = left_out, agreed = agreed,
  })
end

-- Decide the open proposal if every vote is there or its deadline has passed. Returns it while it stays open.
function Config.settle()
  local proposal = Config.open_proposal()
  if not proposal then
    return nil
  end
  local agreed, refusals, left_out = {}, {}, {}
  local some_agreed, some_refused, missing = false, false, false
  for _, worker in ipairs(proposal.voters) do
    local vote = call('HGET', Key.config_votes(), worker)
    if not vote then
      left_out[worker] = 'no answer within ' .. VOTE_MS / 1000 .. ' s'
      missing = true
    elseif vote == '' then
      agreed[worker] = true
      some_agreed = true
    else
      refusals[worker] = texts_of(vote, 'number') or { 'its vote cannot be read' }
      some_refused = true
    end
  end
  -- A deadline further away is from before the clock was set back, or from another client.
  if missing and NOW < proposal.deadline and proposal.deadline <= NOW + VOTE_MS then
    return proposal
  end
  for worker in pairs(left_out) do
    local known = Config.worker(worker)
    if known then
      Config.record(worker, known.version, known.digest, true)
    end
  end
  local meta = Config.meta()
  if some_refused then
    Config.refuse(proposal, meta, refusals, left_out)
  elseif missing and not some_agreed then
    Config.refuse(proposal, meta, { ['-'] = { 'no worker answered, so no worker has checked the change' } }, left_out)
  else
    Config.commit(proposal, meta, agreed, left_out)
  end
  return nil
end

-- Open a proposal. Without a live worker a change is committed at once, and an edit by hand is taken back.
function Config.open(request, edited)
  local voters = Config.voters()
  local proposal = {
    id = request.id, document = cjson.encode(request.document), values = request.document, who = request.who,
    why = request.why, edited = edited,
  }
  if #voters == 0 then
    local meta = Config.meta()
    if edited then
      Config.refuse(proposal, meta, { ['-'] = { 'no worker runs to check it' } }, {})
    else
      Config.commit(proposal, meta, {}, {})
    end
    return
  end
  call('DEL', Key.config_votes())
  call('HSET', Key.config_proposal(), 'id', proposal.id, 'deadline', string.format('%.0f', NOW + VOTE_MS),
    'voters', cjson.encode(voters), 'document', proposal.document, 'who', proposal.who, 'why', proposal.why,
    'edited', edited and '1' or '0')
  for _, worker in ipairs(voters) do
    Wakeup.notify(worker, 'config')
  end
end

-- An edit by hand becomes a proposal. Call it while none is open. Returns whether there was one.
function Config.propose_edit(meta)
  local stored = Config.stored()
  if Config.digest(stored) == meta.digest then
    return false
  end
  local id = 'edit-' .. string.format('%.0f', MICROS)
  Config.open({ id = id, document = stored, who = EDITOR, why = 'edited by hand' }, true)
  return true
end

function Config.propose(request)
  if call('EXISTS', Key.config_outcome(request.id)) == 1 then
    return 'decided'
  end
  local proposal = Config.settle()
  if proposal then
    return proposal.id == request.id and 'open' or 'busy'
  end
  if call('EXISTS', Key.config_outcome(request.id)) == 1 then
    return 'decided' -- by this call
  end
  local meta = Config.meta()
  if meta.damaged and Config.some_worker_has_version() then
    Config.notify_workers() -- the next one that looks restores its version
    return 'busy'
  end
  if not meta.damaged and Config.propose_edit(meta) then
    return 'busy'
  end
  if request.base ~= meta.version then
    return 'stale'
  end
  Config.open(request, false)
  return Config.open_proposal() and 'open' or 'decided'
end

function Config.look(request)
  local proposal = Config.settle()
  Config.record(request.worker, request.version, request.digest, false)
  local meta = Config.meta()
  if not proposal and meta.version >= request.version and Config.propose_edit(meta) then
    proposal = Config.open_proposal()
    meta = Config.meta()
  end
  local head = {
    action = '', id = '', version = meta.version, digest = meta.digest, who = meta.who, why = meta.why,
    at_ms = meta.at_ms,
  }
  local document = ''
  if meta.version < request.version then
    head.action = 'restore'
  elseif meta.digest ~= request.refused and (meta.version ~= request.version or meta.digest ~= request.digest) then
    head.action, document = 'take', meta.document
  elseif proposal then
    for _, voter in ipairs(proposal.voters) do
      if voter == request.worker and not call('HGET', Key.config_votes(), voter) then
        head.action, head.id, head.who, head.why = 'vote', proposal.id, proposal.who, proposal.why
        document = proposal.document
      end
    end
  end
  return { cmsgpack.pack(head), document }
end

function Config.vote(request)
  local proposal = Config.open_proposal()
  if proposal and proposal.id == request.id then
    if not call('HGET', Key.config_votes(), request.worker) then
      call('HSET', Key.config_votes(), request.worker, #request.problems > 0 and cjson.encode(request.problems) or '')
    end
    Config.settle()
  end
  return 1
end

function Config.restore(request)
  if request.version <= Config.meta().version then
    return 0
  end
  call('DEL', Key.config_proposal(), Key.config_votes())
  Config.write(request, request.document)
  return 1
end

function Config.leave(request)
  call('HDEL', Key.config_workers(), request.worker)
  local proposal = Config.open_proposal()
  if proposal then
    local voters = {}
    for _, voter in ipairs(proposal.voters) do
      if voter ~= request.worker or call('HGET', Key.config_votes(), voter) then
        voters[#voters + 1] = voter
      end
    end
    if #voters > 0 then
      call('HSET', Key.config_proposal(), 'voters', cjson.encode(voters))
    end
    Config.settle()
  end
  return 1
end

function Config.outcome(request)
  Config.settle()
  return call('LINDEX', Key.config_outcome(request.id), 0) or ''
end

function Config.state()
  local meta = Config.meta()
  local head = {
    version = meta.version, digest = meta.digest, who = meta.who, why = meta.why, at_ms = meta.at_ms,
    edited = Config.digest(Config.stored()) ~= meta.digest, workers = cjson.encode(Config.workers()),
  }
  return { cmsgpack.pack(head), meta.document }
end
