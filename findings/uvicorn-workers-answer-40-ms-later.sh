#!/usr/bin/env bash
# Guess: uvicorn turns Nagle's algorithm off (TCP_NODELAY) on every connection, whoever made its socket.
# Seen with uvicorn 0.54.0 on CPython 3.11 (asyncio's loop), on 2026-12-01: host and port given: nodelay 1;
# the socket that `--workers` and `--reload` bind, or one of socket.create_server: nodelay 0, since their `proto`
# is 0 and asyncio looks for IPPROTO_TCP. The body of each answer then waits for the client's delayed
# acknowledgement of its head: 40 ms on Linux. Here: test_bodies_of_answers_do_not_wait_for_acknowledgements_of_their_headers.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check uvicorn==0.54.0
"$here/env/bin/python" -W ignore - <<'END'
import http.client, socket, threading, time
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
class Noting(H11Protocol):
    def connection_made(self, transport):
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        seen.append(int(bool(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))))
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
def nodelay(make_sockets):
    config = uvicorn.Config(app, port=0, http=Noting, ws="none", loop="asyncio", lifespan="off", log_level="critical")
    server, sockets = uvicorn.Server(config), make_sockets(config)
    threading.Thread(target=server.run, args=(sockets,), daemon=True).start()
    while not server.started: time.sleep(0.01)
    port = (sockets or server.servers[0].sockets)[0].getsockname()[1]
    one, took = http.client.HTTPConnection("127.0.0.1", port), []
    for _ in range(20):
        began = time.perf_counter()
        one.request("GET", "/"); one.getresponse().read()
        took.append(time.perf_counter() - began)
    server.should_exit = True
    return seen.pop(), f"{sorted(took)[10] * 1000:.0f} ms"
seen = []
own = nodelay(lambda config: None)
bound = nodelay(lambda config: [config.bind_socket()])
given = nodelay(lambda config: [socket.create_server(("127.0.0.1", 0))])
print(uvicorn.__version__, "host and port:", *own, "| bound as for --workers:", *bound, "| create_server:", *given)
assert (own[0], bound[0], given[0]) == (1, 0, 0), (own, bound, given)
END
