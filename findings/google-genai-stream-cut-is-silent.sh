#!/usr/bin/env bash
# Guess: a stream that stops before `interaction.completed` raises, as a cut answer is no answer.
# Seen with google-genai 3.4.0, on 2026-12-01: the loop ends as it does after a whole answer; only a look
# for `interaction.completed` tells the two apart.
# Here: tests/unit/gemini/test_stream_accumulator.py.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check google-genai==3.4.0
"$here/env/bin/python" -W ignore - <<'END'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
body = (b'event: interaction.created\ndata: {"event_type": "interaction.created", "interaction": {"id": "v1_a", "status": "in_progress"}}\n\n'
        b'event: step.start\ndata: {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}}\n\n'
        b'event: step.delta\ndata: {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "The answer is "}}\n\n')
class Cut(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200); self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", 0), Cut)
threading.Thread(target=server.serve_forever, daemon=True).start()
from google import genai
client = genai.Client(api_key="none", http_options={"base_url": f"http://127.0.0.1:{server.server_port}"})
kinds = [event.event_type for event in client.interactions.create(model="any", input="Hello", stream=True)]
print(genai.__version__, kinds)
assert kinds == ["interaction.created", "step.start", "step.delta"], kinds
END
