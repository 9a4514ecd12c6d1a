"""`install`: tells a host of this server in the host's own file; nothing else there changes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.api_key import find_key
from ..config.settings import Config
from ..domain.client_profiles import COMMAND, HOSTS, KEY, NAME, Host, Launch, host
from ..domain.errors import Refused
from .host_config import config_file, json_edit, toml_edit, yaml_edit
from .host_config.config_file import NotWritten, Written
from .host_config.entry_merge import Change, Foreign, changes
from .host_config.json_edit import NotEditable

TOOLSETS = "GEMINI_MCP_TOOLSETS"

# Where hosts keep their files instead, when one of these variables is set.
_PLACES = {
    "claude-code": ("CLAUDE_CONFIG_DIR", ".claude.json"),
    "codex": ("CODEX_HOME", "config.toml"),
    "copilot": ("COPILOT_HOME", "mcp-config.json"),
    "opencode": ("XDG_CONFIG_HOME", "opencode/opencode.json"),
    "amp": ("XDG_CONFIG_HOME", "amp/settings.json"),
    "goose": ("XDG_CONFIG_HOME", "goose/config.yaml"),
}
# What Codex must be told to hand on: it gives a server HOME, PATH and little more.
_HANDED_ON = re.compile(
    r"GEMINI_MCP_\w+|GOOGLE_\w+|XDG_DATA_HOME|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
    r"|(https?|all|no)_proxy|(HTTPS?|ALL|NO)_PROXY"
)


def run(name: str, is_only_printed: bool, toolsets: str = "") -> int:
    """Add this server to a host, or print how; 1 where it could not be done."""
    found = host(name)
    if found is None:  # the parser offers only these
        print(f"There is no host {name}. Hosts: {', '.join(each.id for each in HOSTS)}.")
        return 2
    launch = _launch({TOOLSETS: toolsets} if toolsets else {})
    if is_only_printed:
        _print(found, launch)
        return 0
    try:
        if found.id == "claude-code":
            return _claude_code(found, launch)
        written, said = _write(found, launch)
    except (NotWritten, NotEditable, Foreign) as why:
        return _by_hand(found, launch, str(why))
    _say(written, said)
    # What a host's own command lacks is said by the note, and written by now.
    _print_rest(found, launch, is_note_shown=not found.lacks)
    return 0


def _write(found: Host, launch: Launch) -> tuple[Written, list[str]]:
    """Change the host's file; what was changed, in words."""
    said: list[str] = []

    def change(text: str) -> str:
        said.clear()
        if found.id == "codex":
            return _toml(text, found, launch, said)
        if found.id == "goose":
            return _yaml(text, found, launch, said)
        return _json(text, found, launch, said)

    return config_file.update(_path(found), change), said


def _json(text: str, found: Host, launch: Launch, said: list[str]) -> str:
    snippet = found.snippet(launch)
    wanted = json_edit.parse(snippet).value
    path = _path_of_entry(wanted)
    if not text.strip():
        said.append(f"the entry {NAME}")
        return snippet
    there = json_edit.lookup(json_edit.parse(text).value, path)
    entry = json_edit.lookup(wanted, path)
    if there is None:
        said.append(f"the entry {NAME}")
        text = _with_inputs(text, wanted)
        return json_edit.with_value(text, path, entry)
    for each in _changes(there, entry, launch):
        text = json_edit.with_value(text, [*path, *each.path], each.value)
        said.append(each.words)
    return text


def _with_inputs(text: str, wanted: Mapping[str, Any]) -> str:
    """VS Code asks for what stands in `inputs`, by an id that the entry names."""
    if "inputs" not in wanted:
        return text
    there = json_edit.parse(text).value.get("inputs", [])
    if not isinstance(there, list):
        raise NotEditable("its `inputs` are no list")
    known = [each.get("id") for each in there if isinstance(each, Mapping)]
    new = [each for each in wanted["inputs"] if each["id"] not in known]
    return json_edit.with_value(text, ["inputs"], [*there, *new]) if new else text


def _toml(text: str, found: Host, launch: Launch, said: list[str]) -> str:
    snippet = _with_variables(found.snippet(launch))
    wanted = toml_edit.parse(snippet)
    path = _path_of_entry(wanted)
    there = json_edit.lookup(toml_edit.parse(text), path)
    if there is None:
        said.append(f"the entry {NAME}")
        return toml_edit.with_table(text, path, snippet)
    found_changes = _changes(there, json_edit.lookup(wanted, path), launch)
    said += [each.words for each in found_changes]
    if not found_changes:
        return text
    return toml_edit.with_values(
        text, [([*path, *each.path], each.value) for each in found_changes]
    )


def _yaml(text: str, found: Host, launch: Launch, said: list[str]) -> str:
    snippet = found.snippet(launch)
    there = yaml_edit.entry(text, "extensions", NAME)
    if there is None:
        said.append(f"the entry {NAME}")
        return yaml_edit.with_entry(text, "extensions", NAME, snippet)
    wanted = yaml_edit.entry(snippet, "extensions", NAME) or {}
    found_changes = _changes(there, wanted, launch)
    said += [each.words for each in found_changes]
    values: dict[str, Any] = {}
    for each in found_changes:
        whole = there.get(each.path[0], {})
        values[each.path[0]] = (
            each.value
            if len(each.path) == 1
            else {**values.get(each.path[0], whole), each.path[1]: each.value}
        )
    return yaml_edit.with_values(text, "extensions", NAME, values) if values else text


def _changes(there: Any, wanted: Mapping[str, Any], launch: Launch) -> list[Change]:
    return changes(there, wanted, launch.env)


def _path_of_entry(wanted: Any) -> list[str]:
    """The keys that lead to our entry in a host's snippet."""
    for key, value in wanted.items():
        if key == NAME:
            return [key]
        if isinstance(value, Mapping) and (rest := _path_of_entry(value)):
            return [key, *rest]
    return []


def _with_variables(snippet: str) -> str:
    """The snippet with the variables that are set here, which the host would not hand on."""
    others = sorted(name for name in os.environ if _HANDED_ON.fullmatch(name))
    names = ", ".join(f'"{each}"' for each in dict.fromkeys([KEY, *others]))
    return snippet.replace(f'env_vars = ["{KEY}"]', f"env_vars = [{names}]")


def _path(found: Host) -> Path:
    variable, below = _PLACES.get(found.id, ("", ""))
    place = os.environ.get(variable, "") if variable else ""
    path = Path(place).expanduser() / below if place else found.path()
    with_comments = path.with_suffix(".jsonc")
    # OpenCode and Amp take either; the one that is there is the one in use.
    is_other = path.suffix == ".json" and not path.exists() and with_comments.exists()
    return with_comments if is_other else path


# Claude Code writes its file all the time it runs, so its own command does it.


def _claude_code(found: Host, launch: Launch) -> int:
    program = shutil.which("claude")
    if program is None:
        _print(found, launch)
        return 0
    wanted = json_edit.lookup(json_edit.parse(found.snippet(launch)).value, ["mcpServers", NAME])
    there = _known_to_claude(found)
    if there is None:
        add = found.add(launch) if found.add else []
        return _told(found, launch, [[program, *add[1:]]])
    found_changes = changes(there, wanted, launch.env, optional=("type", "timeout"))
    if not found_changes:
        print(f"{found.title} has it already: nothing was changed.")
        _print_rest(found, launch)
        return 0
    entry = dict(there)
    for each in found_changes:
        if len(each.path) == 1:
            entry[each.path[0]] = each.value
        else:
            entry[each.path[0]] = {**entry[each.path[0]], each.path[1]: each.value}
    own = [program, "mcp"]
    code = _told(
        found,
        launch,
        [
            [*own, "remove", NAME, "--scope", "user"],
            [*own, "add-json", NAME, _compact(entry), "--scope", "user"],
        ],
        undo=[*own, "add-json", NAME, _compact(there), "--scope", "user"],
    )
    if not code:
        print(f"Changed: {', '.join(each.words for each in found_changes)}.")
    return code


def _known_to_claude(found: Host) -> Any:
    try:
        text = _path(found).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return json_edit.lookup(json_edit.parse(text).value, ["mcpServers", NAME])


def _told(
    found: Host, launch: Launch, commands: list[list[str]], undo: list[str] | None = None
) -> int:
    """Run the host's own commands, with arguments of ours alone; no shell reads them."""
    for at, command in enumerate(commands):
        # What follows `add-json` may hold a variable's value.
        shown = command[:4] if "add-json" in command else command
        print(f"Running: {_typed([Path(shown[0]).name, *shown[1:]])}")
        sys.stdout.flush()
        code = subprocess.run(command, check=False).returncode  # noqa: S603
        if code:
            if at and undo:
                subprocess.run(undo, check=False)  # noqa: S603
            return _by_hand(found, launch, f"its command ended with exit code {code}")
    _print_rest(found, launch)
    return 0


def _compact(entry: Any) -> str:
    import json

    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


def _launch(env: Mapping[str, str]) -> Launch:
    """The installed command's own path; through `uvx` where nothing is installed."""
    if _is_from_uvx():
        installed = _installed()
        if installed:
            print(
                f"This was run by uvx; the host will start {installed}, which is installed and "
                "starts faster."
            )
            return Launch((installed,), env)
        if shutil.which(COMMAND[0]):
            print(
                "This was run by uvx, which looks up every package again at each start (some "
                f"seconds). Faster: `uv tool install --compile-bytecode {COMMAND[1]}`, then "
                f"`{COMMAND[1]} install` again."
            )
            return Launch(env=env)
    # Another one may be on the path, so what runs comes first; `python -m` runs no program.
    for program in (os.path.abspath(sys.argv[0]), COMMAND[1]):
        if (found := shutil.which(program)) and not found.endswith(".py"):
            return Launch((os.path.abspath(found),), env)
    return Launch((sys.executable, "-m", __package__.partition(".")[0]), env)


def _is_from_uvx() -> bool:
    """Whether this is a throw-away environment of uv's, whose program will not stay there."""
    return "uv" in Path(sys.prefix).parts and "archive-v0" in Path(sys.prefix).parts


def _installed() -> str:
    """Our command elsewhere on the path than in the environment that runs; "" if there is none."""
    here = os.path.realpath(sys.prefix)
    folders = [
        each
        for each in os.environ.get("PATH", "").split(os.pathsep)
        if each and not os.path.realpath(each).startswith(here)
    ]
    found = shutil.which(COMMAND[1], path=os.pathsep.join(folders)) if folders else None
    return os.path.abspath(found) if found else ""


def _say(written: Written, said: list[str]) -> None:
    if not written.has_changed:
        print(f"{written.path} has it already: nothing was changed.")
        return
    kept = "; everything else in it is as it was" if written.backup else ", which is new"
    print(f"Wrote {', '.join(said)} into {written.path}{kept}.")
    if written.backup:
        print(f"What it held before is in {written.backup}.")


def _by_hand(found: Host, launch: Launch, why: str) -> int:
    print(f"{_path(found)} was not changed: {why}. By hand:", file=sys.stderr)
    _print(found, launch, is_add_shown=False)
    return 1


def _print(found: Host, launch: Launch, *, is_add_shown: bool = True) -> None:
    add = found.add(launch) if found.add and is_add_shown else None
    if add is not None:
        print(f"Run this in a terminal:\n\n  {_typed(add)}\n")
        lacking = f", which also says {found.lacks}" if found.lacks else ""
        print(f"or write this into {found.file()}{lacking}:\n")
    else:
        print(f"Write this into {found.file()} (merge it with what is there):\n")
    print(found.snippet(launch))
    _print_rest(found, launch)


def _typed(command: list[str]) -> str:
    """A command as this platform's terminal takes it."""
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)


def _print_rest(found: Host, launch: Launch, *, is_note_shown: bool = True) -> None:
    if found.note and is_note_shown:
        print(found.note)
    if not _is_key_saved():
        print(f"Then save your key once: {_typed([*launch.command, 'key'])}")


def _is_key_saved() -> bool:
    """Whether the key file has one; a key in this environment need not be in the host's."""
    try:
        return bool(find_key({}, Config.read(os.environ).data_dir))
    except Refused:  # a setting or the file itself is bad, which `doctor` says
        return False
