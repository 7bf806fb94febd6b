-- Waking workers that block. A worker blocks on its own control key, on `wake:rooms` while it has rooms, and on
-- `wake:<tenant>/<c>` for each ephemeral context that it holds with pages free. A token wakes one worker;
-- a worker that leaves work behind passes the baton on. Tokens that nobody needed run out by themselves.

local TOKEN_MS = 5000
local ROOM_TOKENS = 4
local CONTROL_LENGTH = 512

local pending = { rooms = 0, contexts = {}, workers = {}, anybody = false }

function Wakes.reset()
  pending.rooms = 0
  pending.contexts = {}
  pending.workers = {}
  pending.anybody = false
end

function Wakes.rooms()
  pending.rooms = pending.rooms + 1
end

-- Whoever can end a job without a page: a worker without a free room sleeps on its control key alone, so the one that
-- was heard last is woken too.
function Wakes.anybody()
  pending.anybody = true
end

-- Holders of a profile are woken by name.
function Wakes.context(t, c)
  if Context.is_ephemeral(c) then
    pending.contexts[t .. '/' .. c] = t
  end
end

function Wakes.worker(w)
  pending.workers[w] = true
end

-- A message that is for one worker only. It is a hint: heartbeats say the same.
function Wakes.tell(w, message)
  local key = P .. 'control:' .. w
  call('RPUSH', key, message)
  call('LTRIM', key, -CONTROL_LENGTH, -1)
  call('PEXPIRE', key, LEASE_MS)
end

local function token(key, wanted)
  local missing = wanted - call('LLEN', key)
  for _ = 1, missing do
    call('RPUSH', key, 'work')
  end
  if missing > 0 then
    call('PEXPIRE', key, TOKEN_MS)
  end
end

function Wakes.flush()
  if pending.anybody then
    pending.rooms = max(pending.rooms, 1)
    local heard = call('ZRANGE', P .. 'workers', 0, 0, 'REV')[1]
    if heard then
      pending.workers[heard] = true
    end
  end
  if pending.rooms > 0 then
    token(P .. 'wake:rooms', min(pending.rooms, ROOM_TOKENS))
  end
  for name in pairs(pending.contexts) do
    token(P .. 'wake:' .. name, 1)
  end
  for w in pairs(pending.workers) do
    token(P .. 'control:' .. w, 1)
  end
end

-- The baton: what a claim leaves behind is for others who wait.
function Wakes.pass_on(contexts)
  pending.rooms = max(pending.rooms, 1)
  for name, t in pairs(contexts) do
    pending.contexts[name] = t
  end
end

-- After a claim: what became runnable may have been taken already. Only what is left wakes others, and where nothing is
-- left, tokens that nobody took must not wake anybody either.
function Wakes.flush_rest(me)
  pending.workers[me] = nil
  pending.anybody = false -- the caller ends these itself
  if call('EXISTS', P .. 'active', P .. 'verdicts') == 0 then
    call('DEL', P .. 'wake:rooms')
    pending.rooms = 0
    pending.contexts = {}
  else
    for name, t in pairs(pending.contexts) do
      if not call('ZSCORE', P .. 'active', t) then
        pending.contexts[name] = nil
      end
    end
  end
  Wakes.flush()
end
