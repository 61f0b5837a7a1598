-- GCRA. KEYS[1] the client; ARGV[1] microseconds a request costs, ARGV[2] requests allowed at once.
-- Returns allowed (1 or 0), requests left, microseconds to the full quota, microseconds to wait.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local cost = tonumber(ARGV[1])
local quota = tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = full + cost - cost * quota - now
if wait > 0 then
  return { 0, 0, full - now, wait }
end
full = full + cost
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return { 1, math.floor(-wait / cost), full - now, 0 }
