#!/usr/bin/env bash
# Guess: `environments.files.download(path=…)` quotes the path as an address wants it.
# Seen with google-genai 3.4.0, on 2026-12-01: only blanks are quoted. "report #1.md" asks for "report%20" (all from
# "#" on stays behind), "what?.md" for "what" with a query, "50% off.md" for "50%%20off.md", which nothing decodes back.
# Here: downloads quote the path themselves, test_names_with_signs_of_addresses_are_fetched_by_their_whole_name.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check google-genai==3.4.0
"$here/env/bin/python" -W ignore - <<'END'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
seen = []
class Files(BaseHTTPRequestHandler):
    def do_GET(self):
        seen.append(self.path.partition("/files/")[2])
        self.send_response(200); self.send_header("content-length", "1"); self.end_headers(); self.wfile.write(b"x")
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", 0), Files)
threading.Thread(target=server.serve_forever, daemon=True).start()
from google import genai
client = genai.Client(api_key="none", http_options={"base_url": f"http://127.0.0.1:{server.server_port}"})
for path in ("plain.md", "report #1.md", "what?.md", "50% off.md"):
    client.environments.files.download(environment_id="env_1", path=path)
print(genai.__version__, seen)
assert seen[0].startswith("plain.md"), seen
assert "1.md" not in seen[1] and "what%3F" not in seen[2] and "50%25" not in seen[3], seen
END
