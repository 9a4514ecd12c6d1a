#!/usr/bin/env bash
# Guess: `limit_concurrency=2` refuses the third request that is being answered at one time.
# Seen with uvicorn 0.54.0, on 2026-12-01: with a limit of 3, requests made one after another on connections
# that are kept open get 200, 200, 503, 503: idle connections count, the limit itself is refused.
# Here: test_idle_connections_of_strangers_keep_nobody_out.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check uvicorn==0.54.0
"$here/env/bin/python" -W ignore - <<'END'
import http.client, threading, time
import uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
server = uvicorn.Server(uvicorn.Config(app, port=0, limit_concurrency=3, lifespan="off", log_level="critical"))
threading.Thread(target=server.run, daemon=True).start()
while not server.started: time.sleep(0.01)
port = server.servers[0].sockets[0].getsockname()[1]
seen, kept = [], []
for _ in range(4):
    one = http.client.HTTPConnection("127.0.0.1", port); kept.append(one)
    one.request("GET", "/"); answer = one.getresponse(); answer.read(); seen.append(answer.status)
print(uvicorn.__version__, seen, "no two requests overlapped")
server.should_exit = True
assert seen[0] == 200 and seen[-1] == 503, seen
END
