#!/usr/bin/env bash
# Guess: a client for Server-Sent Events ends lines where the format does: at CR, LF or CRLF.
# Seen with httpx 0.28.1 and httpx2 2.16.2, on 2026-12-01: `iter_lines()` also ends a line at U+2028 and
# U+0085, which JSON may hold as they are, so that one `data:` line arrives as three.
# Here: we parse the bytes ourselves, tests/unit/gemini/test_sse_parser.py.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check httpx2==2.16.2 httpx==0.28.1
"$here/env/bin/python" -W ignore - <<'END'
import json
import httpx, httpx2
body = 'data: {"text": "one\u2028two\u0085three"}\n\n'.encode()
for library in (httpx, httpx2):
    web = library.Client(transport=library.MockTransport(lambda request: library.Response(200, content=body)))
    with web.stream("GET", "http://test/") as answer:
        lines = list(answer.iter_lines())
    print(library.__name__, library.__version__, lines)
    assert lines == ['data: {"text": "one', 'two', 'three"}', ''], lines
END
