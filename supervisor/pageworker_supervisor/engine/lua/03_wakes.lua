-- Waking workers that block. A worker blocks on its own control key, on `wake:rooms` while it has rooms, and on
-- `wake:<tenant>` for each tenant whose ephemeral context it holds with pages free. A token wakes one worker;
-- a worker that leaves work behind passes the baton on. Tokens that nobody needed run out by themselves.

local TOKEN_MS = 5000
local ROOM_TOKENS = 4
local CONTROL_LENGTH = 512

local pending = { rooms = 0, tenants = {}, workers = {} }

function Wakes.reset()
  pending.rooms = 0
  pending.tenants = {}
  pending.workers = {}
end

function Wakes.rooms()
  pending.rooms = pending.rooms + 1
end

function Wakes.tenant(t)
  pending.tenants[t] = true
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
  if pending.rooms > 0 then
    token(P .. 'wake:rooms', min(pending.rooms, ROOM_TOKENS))
  end
  for t in pairs(pending.tenants) do
    token(P .. 'wake:' .. t, 1)
  end
  for w in pairs(pending.workers) do
    token(P .. 'control:' .. w, 1)
  end
end

-- The baton: what a claim leaves behind is for others who wait.
function Wakes.pass_on(tenants)
  pending.rooms = max(pending.rooms, 1)
  for t in pairs(tenants) do
    pending.tenants[t] = true
  end
end

-- After a claim: what became runnable may have been taken already. Only what is left wakes others, and where nothing is
-- left, tokens that nobody took must not wake anybody either.
function Wakes.flush_rest(me)
  pending.workers[me] = nil
  if call('EXISTS', P .. 'active', P .. 'verdicts') == 0 then
    call('DEL', P .. 'wake:rooms')
    pending.rooms = 0
    pending.tenants = {}
  else
    for t in pairs(pending.tenants) do
      if not call('ZSCORE', P .. 'active', t) then
        pending.tenants[t] = nil
      end
    end
  end
  Wakes.flush()
end
