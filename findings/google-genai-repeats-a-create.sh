#!/usr/bin/env bash
# Guess: the SDK sends a POST that creates something once, since its outcome is unknown after a 503.
# Seen with google-genai 3.4.0, on 2026-12-01: `interactions.create` is sent five times by default.
# Here: a create is never sent twice, docs/explanation/reliability.md and tests/unit/gemini/test_client.py.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check google-genai==3.4.0
"$here/env/bin/python" -W ignore - <<'END'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
seen = []
class Busy(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        seen.append(self.path)
        self.send_response(503); self.send_header("content-length", "2"); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
from google import genai
client = genai.Client(api_key="none", http_options={"base_url": f"http://127.0.0.1:{server.server_port}"})
try:
    client.interactions.create(model="any", input="Hello")
except Exception as error:
    print(type(error).__name__)
print(genai.__version__, "requests sent:", len(seen))
assert len(seen) > 1
END
