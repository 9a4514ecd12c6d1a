"""Control over HTTP: what another process may tell the emulator, and read from it, over HTTP."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..control import EmulatorControl
from ..scripting.fault_injection import Gate

if TYPE_CHECKING:
    from .connection import RequestResponse

PATH = "/_emulator/"
ORDERS = frozenset(
    [
        "add_environment_file",
        "add_file",
        "advance",
        "answer_next",
        "answer_when",
        "cancel_slowly",
        "chain",
        "delay",
        "expire",
        "expire_all",
        "expire_environment",
        "expire_file",
        "expire_files",
        "fail",
        "fail_next",
        "fail_next_document",
        "fail_next_file",
        "fault_next",
        "finish",
        "hold_background",
        "hold_next",
        "interaction",
        "lag",
        "make_media",
        "process_files",
        "progress",
        "refuse_next_image",
        "refuse_next_media",
        "release",
        "research",
        "research_next",
        "reset",
        "set_status",
        "think",
        "unknown_id",
        "usage_later",
    ]
)
SETTINGS = frozenset(
    [
        "background_seconds",
        "chunk_granularity",
        "event_ids",
        "foreground_disconnect",
        "free_tier",
        "image_bytes",
        "image_drafts",
        "isolate_keys",
        "pending_document_looks",
        "report_bytes",
        "report_charts",
        "research_seconds",
        "snapshot_seconds",
    ]
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def steer(control: EmulatorControl, order: Mapping[str, Any]) -> Any:
    """Carry out `{"do": name, "args": {...} or [...]}`; `set` changes settings."""
    name, args = order.get("do"), order.get("args") or {}
    if name == "set":
        for setting, value in dict(args).items():
            if setting not in SETTINGS:
                raise ValueError(f"There is no setting {setting!r}.")
            setattr(control, setting, value)
        return None
    if name not in ORDERS:
        raise ValueError(f"There is no order {name!r}. Known: {', '.join(sorted(ORDERS))}, set.")
    method = getattr(control, str(name))
    result = method(**args) if isinstance(args, Mapping) else method(*args)
    return result.number if isinstance(result, Gate) else result


def run_script(control: EmulatorControl, orders: Sequence[Mapping[str, Any]]) -> None:
    for order in orders:
        steer(control, order)


async def answer(control: EmulatorControl, exchange: "RequestResponse", body: Any) -> None:
    """Answer one request of a program that steers."""
    # A web page may reach our port under a name of its own; it has no business here.
    host = urlsplit(f"//{exchange.headers.get('host', '')}").hostname
    what = (exchange.method, exchange.path.removeprefix(PATH))
    if host not in _LOOPBACK:
        await exchange.respond_json(403, {"error": "Only this machine may steer."})
    elif what == ("GET", "log"):
        await exchange.respond_json(200, {"log": [request.public() for request in control.log]})
    elif what == ("POST", "reset"):
        control.reset()
        await exchange.respond_json(200, {"result": None})
    elif what == ("POST", "steer"):
        try:
            result = steer(control, body)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            await exchange.respond_json(400, {"error": str(error.args[0] if error.args else error)})
        else:
            await exchange.respond_json(200, {"result": result})
    else:
        await exchange.respond_json(404, {"error": "Known: GET log, POST steer, POST reset."})
