"""The consent page: who asks for what, where it leads back, and a field for the gateway token.

Plain HTML without scripts, in the browser's own light or dark colours; every value that came
from outside is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from starlette.responses import HTMLResponse

from .clients import OAuthClient
from .redirect_uris import destination, form_action

STYLE = """
:root { color-scheme: light dark; --line: #8884; --accent: #1a56c4; --on: #fff; }
@media (prefers-color-scheme: dark) { :root { --accent: #9cc0ff; --on: #0b1a33; } }
* { box-sizing: border-box; }
body { font: 1.0625rem/1.5 system-ui, sans-serif; margin: 0; padding: 1.5rem; }
main { max-width: 34rem; margin: 5vh auto; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
dl { border: 1px solid var(--line); border-radius: .5rem; padding: .25rem 1rem; margin: 1.25rem 0; }
dt { font-size: .875rem; margin-top: .75rem; opacity: .8; }
dd { margin: 0 0 .75rem; overflow-wrap: anywhere; font-weight: 600; }
label { display: block; font-weight: 600; margin-bottom: .25rem; }
input { font: inherit; width: 100%; padding: .6rem .75rem; border: 1px solid currentColor;
  border-radius: .375rem; background: Canvas; color: CanvasText; }
.hint { font-size: .9375rem; margin: .5rem 0 1.25rem; }
.error { border-left: .3rem solid #c62828; padding: .5rem .75rem; margin: 1rem 0; }
button { font: inherit; font-weight: 600; padding: .6rem 1.5rem; margin: 0 .5rem .5rem 0;
  border-radius: .375rem; border: 1px solid var(--accent); cursor: pointer; }
.allow { background: var(--accent); color: var(--on); }
.deny { background: transparent; color: inherit; border-color: currentColor; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def consent_page(
    client: OAuthClient,
    redirect_uri: str,
    server: str,
    scopes: tuple[str, ...],
    signed: str,
    error: str = "",
    status: int = 200,
) -> HTMLResponse:
    """Asks whether a client may come in. `server` is the address it wants to use."""
    who = client.host or client.name or "An app without a name"
    told = f"<dt>Its name</dt><dd>{escape(client.name)}</dd>" if client.host and client.name else ""
    may = "Ask Gemini, run research and make images as you, and read what you did here before"
    listed = f"<dt>Scopes</dt><dd>{escape(' '.join(scopes))}</dd>" if scopes else ""
    alert = f'<p class="error" role="alert" id="error">{escape(error)}</p>' if error else ""
    wrong = (
        ' aria-invalid="true" aria-describedby="error hint"'
        if error
        else (' aria-describedby="hint"')
    )
    note = (
        ""
        if client.host
        else "<p>That name is what the app calls itself; nobody has checked it. "
        "Allow it only if you have just started to connect it yourself.</p>"
    )
    return _page(
        f"Allow {who} to use Gemini?",
        f"""<h1>Allow <q>{escape(who)}</q> to use Gemini here?</h1>
{note}
<dl>
{told}<dt>It may</dt><dd>{may}</dd>{listed}
<dt>Server</dt><dd>{escape(server)}</dd>
<dt>Your browser then goes to</dt><dd>{escape(destination(redirect_uri))}</dd>
</dl>
{alert}
<form method="post" action="">
<input type="hidden" name="request" value="{escape(signed)}">
<label for="token">Gateway token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="off"
 autocapitalize="off" spellcheck="false"{wrong}>
<p class="hint" id="hint">The token that the operator of this server gave you.
The app never sees it. You can end its access at any time: ask the operator.</p>
<button class="allow" name="answer" value="allow">Allow</button>
<button class="deny" name="answer" value="deny" formnovalidate>Deny</button>
</form>""",
        status,
        # Chromium holds the redirect after a form to this policy too.
        form_action(redirect_uri),
    )


def message_page(title: str, words: str, status: int) -> HTMLResponse:
    """For when there is nowhere to send the browser back to."""
    return _page(title, f"<h1>{escape(title)}</h1>\n<p>{escape(words)}</p>", status)


def _page(title: str, body: str, status: int, leads_to: str = "") -> HTMLResponse:
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self' {leads_to}"
    )
    return HTMLResponse(
        html,
        status,
        {
            "content-security-policy": policy.strip(),
            "x-frame-options": "DENY",
            "x-content-type-options": "nosniff",
            # Not `no-referrer`: with that, browsers post the form with `Origin: null`.
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cache-control": "no-store",
        },
    )
