-- Run by wrk: sends DEPTH requests at once where DEPTH is above 1, and prints what was counted as JSON.

function init(args)
   local depth = tonumber(args[1]) or 1
   if depth > 1 then
      local requests = {}
      for i = 1, depth do requests[i] = wrk.format() end
      local batch = table.concat(requests)
      request = function() return batch end
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"microseconds":%d,"bytes":%d,"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
      summary.requests, summary.duration, summary.bytes,
      errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
