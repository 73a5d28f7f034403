-- Each request carries a value of its own; each answer must carry one that was sent, and only once.
local thread_count = 0
function setup(thread)
  thread:set("id", thread_count)
  thread_count = thread_count + 1
  threads = threads or {}
  table.insert(threads, thread)
end
function init()
  sent, n, good, bad = {}, 0, 0, 0
end
function request()
  n = n + 1
  local who = id .. "x" .. n
  sent[who] = true
  return wrk.format("GET", "/greet?who=" .. who)
end
function response(status, headers, body)
  local who = body:match("^Hello (%w+)!$")
  if status == 200 and who and sent[who] then
    sent[who] = nil
    good = good + 1
  else
    bad = bad + 1
    if bad < 4 then io.write("wrong answer: ", status, " ", body, "\n") end
  end
end
function done(summary, latency, requests)
  local good, bad, open = 0, 0, 0
  for _, thread in ipairs(threads) do
    good = good + thread:get("good")
    bad = bad + thread:get("bad")
    open = open + thread:get("n") - thread:get("good") - thread:get("bad")
  end
  local e = summary.errors
  io.write(string.format("checked good=%d bad=%d unanswered_at_end=%d socket_errors=%d\n", good, bad, open,
    e.connect + e.read + e.write + e.timeout))
end
