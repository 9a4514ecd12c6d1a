"""The command line: parses arguments, serves, and starts the subcommands.

Hosts wait for this process at their own start, so nothing heavy is imported here: each
command brings what it needs.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .. import __version__
from ..config.setting_table import OFFERED, SETTINGS
from ..config.settings import Config
from ..domain.errors import Refused

PROGRAM = "gemini-interactions-mcp"

COMMANDS = (
    *("serve", "key", "history", "export", "delete", "access", "agents"),
    "stores",
    *("doctor", "install", "demo"),
    "emulator",
)
_HOSTS = (
    *("claude-code", "claude-desktop", "codex", "gemini-cli", "cursor", "vscode"),
    *("copilot", "opencode", "amp", "kimi", "openclaw", "goose"),
)
_KEPT = ("data_dir", "database_url", "images_dir")
_GOOGLE = ("base_url", "api_version")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what it returns is the process's exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _read(arguments)
    try:
        code = int(options.run(options))
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except Refused as refused:
        # The sentence was written for models, who call a tool where people run a command.
        said = str(refused).replace("Call gemini_history to", f"Run {PROGRAM} history to")
        print(f"{PROGRAM}: {said}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


class _Parser(argparse.ArgumentParser):
    """One that refuses in a sentence, where argparse would list every flag first."""

    def error(self, message: str) -> NoReturn:
        # What stands where a word is expected is not repeated: it may be a key.
        message = re.sub(r"invalid choice: .*\(choose from (.*)\)", r"must be one of \1", message)
        self.exit(2, f"{self.prog}: {message.rstrip('.')}; see {self.prog} --help.\n")


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _parser(arguments)
    flags = [word.partition("=")[0] for word in arguments if word.startswith("-")]
    for setting in SETTINGS:
        if setting.secret and f"--{setting.word}" in flags:
            parser.error(
                f"{setting.variable} has no flag, since others can read command lines: set the "
                "variable instead"
            )
    options, unknown = parser.parse_known_args(_spelled_out(arguments))
    if unknown:
        # Only a flag is repeated: what stands elsewhere may be a key.
        flag = next((word.partition("=")[0] for word in unknown if word.startswith("-")), "")
        parser.error(f"there is no flag {flag} here" if flag else "there is a word too many")
    return options


def _spelled_out(arguments: Sequence[str]) -> list[str]:
    """A switch without a value is on: `--structured` means `--structured=on`."""
    switches = {setting.flag for setting in OFFERED if setting.is_switch}
    followers = [*arguments[1:], "-"]
    return [
        f"{word}=on" if word in switches and (next in COMMANDS or next[:1] == "-") else word
        for word, next in zip(arguments, followers, strict=False)
    ]


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    # No abbreviations: an unambiguous prefix today may name two settings tomorrow.
    parser = _Parser(
        prog=PROGRAM,
        usage="%(prog)s [COMMAND] [--SETTING VALUE ...]",
        description="An MCP server that gives any assistant the Gemini Interactions API.",
        epilog="Without a command it serves MCP over stdio, as a host expects.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog=PROGRAM)
    _add_settings(parser)
    parser.set_defaults(run=_serve)

    serve = _command(commands, "serve", "serve MCP over stdio (the default) or over HTTP")
    serve.usage = "%(prog)s [--http HOST:PORT [--workers N]] [--SETTING VALUE ...]"
    serve.add_argument(
        "--http",
        metavar="HOST:PORT",
        help="serve many clients over Streamable HTTP there, at /mcp; port 0 is any free one",
    )
    serve.add_argument(
        "--workers",
        metavar="N",
        type=_count,
        default=1,
        help="with --http: so many processes share the address, one for each core (default 1)",
    )
    _add_settings(serve)
    _add_settings(serve, scope="http")
    serve.set_defaults(run=_serve)

    key = _command(commands, "key", "save your Gemini API key, from a prompt or standard input")
    _add_settings(key, "data_dir")
    key.set_defaults(run=_key)

    history = _command(commands, "history", "list the conversations kept here, newest first")
    history.add_argument("--query", default="", metavar="TEXT", help="only those that contain it")
    history.add_argument("--limit", default=20, type=_count, metavar="N", help="how many at most")
    _add_settings(history, *_KEPT)
    history.set_defaults(run=_history)

    export = _command(commands, "export", "write a conversation to standard output")
    export.add_argument("id", metavar="ID", help="the conversation, or an id of something in it")
    export.add_argument(
        "--format", default="md", choices=["md", "json"], help="Markdown (the default) or JSON"
    )
    _add_settings(export, *_KEPT)
    export.set_defaults(run=_export)

    delete = _command(commands, "delete", "delete a conversation, here and at Google")
    delete.add_argument("id", metavar="ID", help="the conversation")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    _add_settings(delete, *_KEPT, *_GOOGLE)
    delete.set_defaults(run=_delete)

    access = _command(commands, "access", "list or revoke what was signed in over HTTP")
    access.add_argument("what", choices=["list", "revoke"], help="what to do")
    access.add_argument(
        "id", metavar="ID", nargs="?", default="", help="for revoke: the access to end"
    )
    access.add_argument("--owner", default="", metavar="NAME", help="only this owner's")
    access.add_argument("--everyone", action="store_true", help="everybody's, as without --owner")
    _add_settings(access, *_KEPT)
    access.set_defaults(run=_access)

    agents = _command(commands, "agents", "look after the custom agents of your key")
    agents.add_argument(
        "what", choices=["list", "show", "create", "test", "delete"], help="what to do"
    )
    agents.add_argument(
        "id",
        metavar="ID|FILE",
        nargs="?",
        default="",
        help="the agent; for create a JSON file with its definition, or - for standard input",
    )
    _add_owner(agents)
    agents.add_argument("--yes", action="store_true", help="do not ask before deleting")
    _add_settings(agents, *_KEPT, *_GOOGLE)
    agents.set_defaults(run=_agents)

    stores = _command(commands, "stores", "look after stores of documents that Gemini searches")
    stores.add_argument("what", choices=["create", "add", "list", "delete"], help="what to do")
    stores.add_argument(
        "name", metavar="NAME", nargs="?", default="", help="the store, by the name it has here"
    )
    stores.add_argument(
        "paths", metavar="PATH", nargs="*", default=[], help="for add: files, folders, patterns"
    )
    _add_owner(stores)
    stores.add_argument("--yes", action="store_true", help="do not ask before deleting")
    _add_settings(stores, *_KEPT, *_GOOGLE, "allowed_dirs")
    stores.set_defaults(run=_stores)

    doctor = _command(commands, "doctor", "check key, network, folders and database")
    doctor.usage = "%(prog)s [--offline] [--SETTING VALUE ...]"
    doctor.add_argument("--offline", action="store_true", help="do not ask Google")
    _add_settings(doctor)
    doctor.set_defaults(run=_doctor)

    install = _command(commands, "install", "tell an assistant of this server")
    install.add_argument("host", metavar="HOST", choices=_HOSTS, help=f"one of {', '.join(_HOSTS)}")
    install.add_argument(
        "--print", action="store_true", dest="only", help="change nothing, only print how"
    )
    install.add_argument(
        "--toolsets",
        dest="install_toolsets",
        default="",
        metavar="VALUE",
        help="tool sets that host is to be offered, such as ask,images or all",
    )
    install.set_defaults(run=_install)

    demo = _command(commands, "demo", "see it work against an offline Gemini: no key, no network")
    demo.set_defaults(run=_demo)

    emulator = _command(commands, "emulator", "run an offline Gemini Interactions API over HTTP")
    emulator.set_defaults(run=_emulator)
    if "emulator" in arguments:
        from gemini_emulator.cli import add_arguments

        add_arguments(emulator)
    return parser


def _command(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=what[0].upper() + what[1:] + ".", allow_abbrev=False
    )
    return command


def _add_owner(parser: argparse.ArgumentParser) -> None:
    """Whose things these are: on a gateway the operator gives them to its users."""
    parser.add_argument("--owner", default="", metavar="NAME", help="for this user of a gateway")
    parser.add_argument("--everyone", action="store_true", help="for all its users")


def _add_settings(parser: argparse.ArgumentParser, *only: str, scope: str = "everywhere") -> None:
    """One flag for each setting on offer. Left out means absent, so that a command's own flags
    do not overwrite those given before it."""
    title = "settings" if scope == "everywhere" else f"settings for --{scope}"
    group = parser.add_argument_group(title, "a flag beats its environment variable")
    for setting in OFFERED:
        if (not only or setting.name in only) and setting.scope == scope:
            default = setting.default or setting.otherwise
            variable = f"{setting.variable}; default {default}" if default else setting.variable
            group.add_argument(
                setting.flag,
                dest=setting.name,
                metavar="[on|off]" if setting.is_switch else "VALUE",
                default=argparse.SUPPRESS,
                help=f"{setting.help} ({variable})".replace("%", "%%"),
            )


def _config(options: argparse.Namespace) -> Config:
    return Config.read(os.environ, vars(options))


def _log(config: Config) -> None:
    from ..config.logging_setup import set_up  # 5 ms, which the server's own imports need anyway

    set_up(config.log_level)


def _serve(options: argparse.Namespace) -> int:
    config = _config(options)
    # A seventh of the start would go to looking for garbage among the many objects that
    # imports make, all of which stay; frozen, they are never looked at again either.
    gc.disable()
    if getattr(options, "http", None) is not None:
        _log(config)
        from ..mcp_server.transports.http.serve import serve_http

        # A call makes some thousand objects that are gone a moment later.
        gc.set_threshold(10_000, 20, 20)
        gc.enable()
        return serve_http(config, options.http, options.workers)
    if getattr(options, "workers", 1) > 1:
        raise Refused("--workers goes with --http: over stdio one process serves one client.")
    from ..mcp_server.transports import recorded_handshake

    handover = recorded_handshake.answer_while(_import_server, config, __version__)
    _log(config)
    from ..mcp_server.transports.stdio import serve_stdio

    gc.freeze()
    gc.enable()
    return serve_stdio(config, handover)


def _import_server() -> None:
    from ..mcp_server.transports.sdk_import import import_sdk

    import_sdk()
    from ..mcp_server.transports import stdio  # noqa: F401


def _key(options: argparse.Namespace) -> int:
    from ..config.api_key import VARIABLES, save_key
    from ..config.normalization import given

    config = _config(options)
    if sys.stdin.isatty():
        import getpass

        print("Create a key at https://aistudio.google.com/apikey, then paste it.", file=sys.stderr)
        key = getpass.getpass("Gemini API key (not shown): ")
    else:
        key = sys.stdin.readline()
    file = save_key(config.data_dir, key)
    print(f"Saved in {file}, for you alone. Running servers use it from their next call on.")
    for variable in VARIABLES:
        if given(os.environ.get(variable)):
            print(f"Note: {variable} is set in this environment, and beats the file where it is.")
    return 0


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) <= 10**9):
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def _history(options: argparse.Namespace) -> int:
    from .history import run

    return run(_config(options), options.query, options.limit)


def _export(options: argparse.Namespace) -> int:
    from .export import run

    return run(_config(options), options.id, options.format)


def _delete(options: argparse.Namespace) -> int:
    from .delete import run

    return run(_config(options), options.id, options.yes)


def _access(options: argparse.Namespace) -> int:
    from .access import run

    return run(_config(options), options.what, options.id, options.owner)


def _agents(options: argparse.Namespace) -> int:
    from .agents import run

    return run(
        _config(options),
        options.what,
        options.id,
        options.owner,
        everyone=options.everyone,
        is_sure=options.yes,
    )


def _stores(options: argparse.Namespace) -> int:
    from .stores import run

    return run(
        _config(options),
        options.what,
        options.name,
        options.paths,
        options.owner,
        everyone=options.everyone,
        is_sure=options.yes,
    )


def _doctor(options: argparse.Namespace) -> int:
    from .doctor import run

    return run(os.environ, vars(options), options.offline)


def _install(options: argparse.Namespace) -> int:
    from .install import run

    if options.install_toolsets:
        # Refused here rather than by a server that its host starts later.
        next(each for each in OFFERED if each.name == "toolsets").read(options.install_toolsets)
    return run(options.host, options.only, options.install_toolsets)


def _demo(options: argparse.Namespace) -> int:
    from ..demo import main as demo

    return int(demo() or 0)


def _emulator(options: argparse.Namespace) -> int:
    from gemini_emulator.cli import run

    return int(run(options) or 0)
