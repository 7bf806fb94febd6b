-- Access tokens, on shard 0. Only the SHA-256 of a token is stored. `access_token:<id>` has the fields below. `access_tokens_of:<tenant>`
-- has the ids by creation time, under `*` those of the fleet. Lists of scopes are texts with a space between two scopes.
--
-- access_token_add
--   request: id, tenant ('': the fleet), scopes, digest, label, lifetime_ms (0: no end)
--   reply: `stored` (also when the same call came before), or `full`: the tenant has MOST live tokens
-- access_token_rotate
--   request: id, digest, tenant, replaces (an id), overlap_ms. The new token has tenant, scopes, label and lifetime of the
--     old one, which ends after the overlap.
--   reply: `stored` (also when the same call came before), `full`, `unknown` (the tenant has no live token `replaces`), or
--     `rotated`: `replaces` was replaced before
-- access_token_revoke
--   request: id, tenant. reply: `revoked` (also when it was before), or `unknown`
-- access_token_list
--   request: tenant. reply: MessagePack map: now_ms, tokens (a list with the fields of each, the oldest first)

local MOST = 50
local KEPT_MS = 7 * 24 * 3600 * 1000 -- how long the record of a dead token is kept, for lists
local FIELDS = {
  'tenant', 'scopes', 'digest', 'label', 'created_at', 'lifetime_ms', 'expires_at', 'revoked_at', 'replaced_by',
}

local function text_of(value)
  return string.format('%.0f', value)
end

local function index_of(tenant)
  return Key.access_tokens_of(tenant == '' and '*' or tenant)
end

local function read(id)
  local values = call('HMGET', Key.access_token(id), unpack(FIELDS))
  if not values[1] then
    return nil
  end
  local found = { id = id }
  for n, name in ipairs(FIELDS) do
    found[name] = readable(values[n])
  end
  return found
end

local function is_live(found)
  local ends = whole(found.expires_at)
  return found.revoked_at == '' and (ends == 0 or ends > NOW)
end

-- Whether the tenant may have one more. Forgets ids whose record is gone, and the oldest dead ones above MOST.
local function has_place(tenant)
  local index, dead, live = index_of(tenant), {}, 0
  for _, id in ipairs(call('ZRANGE', index, 0, -1)) do
    local found = read(id)
    if not found then
      call('ZREM', index, id)
    elseif is_live(found) then
      live = live + 1
    else
      dead[#dead + 1] = id
    end
  end
  if live >= MOST then
    return false
  end
  for n = 1, #dead + live + 1 - MOST do
    call('DEL', Key.access_token(dead[n]))
    call('ZREM', index, dead[n])
  end
  return true
end

-- The token ends at this time, or did.
local function end_at(id, at)
  call('HSET', Key.access_token(id), 'expires_at', text_of(at))
  call('PEXPIRE', Key.access_token(id), max(0, at - NOW) + KEPT_MS)
end

local function store_token(request, tenant, scopes, label, lifetime_ms)
  call('HSET', Key.access_token(request.id), 'tenant', tenant, 'scopes', scopes, 'digest', request.digest, 'label', label,
    'created_at', NOW_TEXT, 'lifetime_ms', text_of(lifetime_ms))
  call('ZADD', index_of(tenant), NOW_TEXT, request.id)
  if lifetime_ms > 0 then
    end_at(request.id, NOW + lifetime_ms)
  end
  return 'stored'
end

function Tenant.add_access_token(request)
  if read(request.id) then
    return 'stored'
  end
  if not has_place(request.tenant) then
    return 'full'
  end
  return store_token(request, request.tenant, request.scopes, request.label, request.lifetime_ms)
end

function Tenant.rotate_access_token(request)
  if read(request.id) then
    return 'stored'
  end
  local old = read(request.replaces)
  if not old or old.tenant ~= request.tenant or not is_live(old) then
    return 'unknown'
  end
  if old.replaced_by ~= '' then
    return 'rotated'
  end
  if not has_place(request.tenant) then
    return 'full'
  end
  store_token(request, old.tenant, old.scopes, old.label, whole(old.lifetime_ms))
  call('HSET', Key.access_token(old.id), 'replaced_by', request.id)
  local ends, after = whole(old.expires_at), NOW + request.overlap_ms
  end_at(old.id, ends > 0 and min(ends, after) or after)
  return 'stored'
end

function Tenant.revoke_access_token(request)
  local found = read(request.id)
  if not found or found.tenant ~= request.tenant then
    return 'unknown'
  end
  if found.revoked_at == '' then
    call('HSET', Key.access_token(request.id), 'revoked_at', NOW_TEXT)
    call('PEXPIRE', Key.access_token(request.id), KEPT_MS)
  end
  return 'revoked'
end

function Tenant.list_access_tokens(request)
  local tokens = {}
  for _, id in ipairs(call('ZRANGE', index_of(request.tenant), 0, -1)) do
    tokens[#tokens + 1] = read(id)
  end
  return { cmsgpack.pack({ now_ms = NOW, tokens = tokens }) }
end
