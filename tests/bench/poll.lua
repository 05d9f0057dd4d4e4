-- For wrk: asks for one host after another, each as often as its row grows old, so that each request brings a
-- refill: as many as the TTL allows. Spread over that time, since all at once would be easier on what is measured.
-- Arguments: the path up to the host's number, how many hosts there are, how often to ask for each (ms), the key.

local asked = 0

function init(arguments)
    path, hosts, every_ms = arguments[1], tonumber(arguments[2]), tonumber(arguments[3])
    wrk.headers["X-CB-AK"] = arguments[4]
end

-- Each host has a connection of its own.
function delay()
    return asked < hosts and math.random(0, every_ms) or every_ms
end

function request()
    asked = asked + 1
    return wrk.format("GET", path .. asked % hosts .. ".example")
end
