-- For LuaAuthzProvider: lets a request through only from the holder of the certificate that its access token is bound to
-- (RFC 8705 section 3). Lua 5.3. The token was introspected before; its `cnf` is in the variable OIDC_cnf.

local CONSTANTS = {}

-- The fractional parts of the square and cube roots of the first primes (FIPS 180-4 section 4.2.2).
local function fraction(prime, root)
  return math.floor((prime ^ (1 / root) % 1) * 2 ^ 32) & 0xffffffff
end

local START = {}
do
  local candidate = 2
  while #CONSTANTS < 64 do
    local is_prime = true
    for divisor = 2, math.floor(candidate ^ 0.5) do
      if candidate % divisor == 0 then is_prime = false break end
    end
    if is_prime then
      if #START < 8 then START[#START + 1] = fraction(candidate, 2) end
      CONSTANTS[#CONSTANTS + 1] = fraction(candidate, 3)
    end
    candidate = candidate + 1
  end
end

local function rotated(word, by)
  return ((word >> by) | (word << (32 - by))) & 0xffffffff
end

-- FIPS 180-4 section 6.2.
local function sha256(message)
  local bits = #message * 8
  message = message .. "\128" .. ("\0"):rep((55 - #message) % 64) .. string.pack(">I8", bits)
  local hash = { table.unpack(START) }
  for block = 1, #message, 64 do
    local words = { string.unpack((">I4"):rep(16), message, block) }
    for i = 17, 64 do
      local two, fifteen = words[i - 2], words[i - 15]
      local low = rotated(fifteen, 7) ~ rotated(fifteen, 18) ~ (fifteen >> 3)
      local high = rotated(two, 17) ~ rotated(two, 19) ~ (two >> 10)
      words[i] = (words[i - 16] + low + words[i - 7] + high) & 0xffffffff
    end
    local a, b, c, d, e, f, g, h = table.unpack(hash)
    for i = 1, 64 do
      local choice = (e & f) ~ (~e & g)
      local mixed = rotated(e, 6) ~ rotated(e, 11) ~ rotated(e, 25)
      local first = h + mixed + choice + CONSTANTS[i] + words[i]
      local majority = (a & b) ~ (a & c) ~ (b & c)
      local second = (rotated(a, 2) ~ rotated(a, 13) ~ rotated(a, 22)) + majority
      h, g, f, e, d, c, b, a = g, f, e, (d + first) & 0xffffffff, c, b, a, (first + second) & 0xffffffff
    end
    for i, word in ipairs({ a, b, c, d, e, f, g, h }) do
      hash[i] = (hash[i] + word) & 0xffffffff
    end
  end
  return string.pack((">I4"):rep(8), table.unpack(hash))
end

-- The one certificate of a PEM text, as DER.
local function der(r, pem)
  local text = pem:match("^%s*%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-([%w+/=%s]+)%-%-%-%-%-END CERTIFICATE%-%-%-%-%-%s*$")
  return text and r:base64_decode((text:gsub("%s", "")))
end

local function thumbprint(r, pem)
  local octets = der(r, pem)
  if not octets or octets == "" then return nil end
  local text = r:base64_encode(sha256(octets))
  return (text:gsub("%+", "-"):gsub("/", "_"):gsub("=", ""))
end

-- Everything that is missing or odd is refused: a token that is bound to nothing, too.
function holder(r)
  -- Apache asks once before the token was looked at.
  if not r.user then return apache2.AUTHZ_DENIED_NO_USER end
  local confirmation = r.subprocess_env["OIDC_cnf"] or ""
  local bound_to = confirmation:match('^%s*{%s*"x5t#S256"%s*:%s*"([%w_-]+)"%s*}%s*$')
  local pem = r:ssl_var_lookup("SSL_CLIENT_CERT") or ""
  if bound_to and #bound_to == 43 and thumbprint(r, pem) == bound_to then
    return apache2.AUTHZ_GRANTED
  end
  r:info("access token refused: its sender does not hold the certificate that it is bound to")
  return apache2.AUTHZ_DENIED
end

-- For people, whose tokens are bound where their login says so (`sealstone login --bound`): one that is bound to nothing goes
-- through, one that is bound needs its holder.
function bound(r)
  if not r.user then return apache2.AUTHZ_DENIED_NO_USER end
  if r.subprocess_env["OIDC_cnf"] == nil then return apache2.AUTHZ_GRANTED end
  return holder(r)
end
