-- Requests that differ from each other, for wrk.
--   wrk -s request.lua URL -- PART PART...
-- A request consists of these parts, with a new number between them.

local parts
local counter = 0

function init(args)
    parts = args
end

function request()
    counter = counter + 1
    return table.concat(parts, counter)
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "bytes": %d, "seconds": %f, "errors": %d, "p50": %f, "p99": %f}\n',
        summary.requests, summary.bytes, summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
