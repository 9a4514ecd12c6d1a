#!/usr/bin/env bash
# Installs real hosts from npm, adds our server to each with our `install` command, and shows
# each one's own list or probe with the server in it.
#
#   tests/support/probe_hosts.sh [FOLDER]
#
# Needs npm and a set-up checkout (`make setup`). Nothing of yours is touched: the hosts get a
# home of their own in FOLDER (a temporary one by default). No account and no key is needed.
set -uo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$(mktemp -d)}
server="$here/.venv/bin/gemini-interactions-mcp"
[ -x "$server" ] || { echo "Run make setup first." >&2; exit 1; }

install() { npm install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error "$@"; }

# Node first: some hosts ask for a newer one than there may be. OpenClaw is named by its version,
# since npm's plain name stands for an empty placeholder under older Nodes.
install node@24 || exit 1
export PATH="$folder/node_modules/node/bin:$PATH"
install node@24 @anthropic-ai/claude-code@2.1.330 @google/gemini-cli@0.61.0 \
    opencode-ai@1.18.33 openclaw@2026.9.6 @openai/codex@0.169.0 @github/copilot@1.0.102 || exit 1

export PATH="$folder/node_modules/.bin:$folder/node_modules/node/bin:$here/.venv/bin:$PATH"
export HOME="$folder/home" NO_COLOR=1 GEMINI_API_KEY="" OPENCODE_DISABLE_AUTOUPDATE=1
export GEMINI_MCP_DATA_DIR="$folder/home/data"
export XDG_CONFIG_HOME="$HOME/.config" XDG_DATA_HOME="$HOME/.local/share"
mkdir -p "$HOME" && cd "$HOME" || exit 1
failed=0

probe() {  # TITLE WANTED COMMAND...: run it, show what it says, look for WANTED
    local title=$1 wanted=$2 said
    shift 2
    said=$(timeout 120 "$@" 2>&1)
    printf '\n== %s: %s\n%s\n' "$title" "$*" "$said"
    grep -qiE "$wanted" <<<"$said" || { echo "-- $title does not show the server"; failed=1; }
}

added() {  # HOST PROGRAM: its version, and our own command to add the server
    "$2" --version
    "$server" install "$1" || { echo "-- install $1 failed"; failed=1; }
}

added claude-code claude
probe "Claude Code" 'gemini.*connected' claude mcp list

mkdir -p .gemini && printf '{"%s": "TRUST_FOLDER"}' "$HOME" >.gemini/trustedFolders.json
added gemini-cli gemini
probe "Gemini CLI" 'gemini.*(connected|✓)' gemini mcp list

added opencode opencode
probe "OpenCode" 'gemini.*connected|✓ *gemini' opencode mcp list

added openclaw openclaw
probe "OpenClaw" 'gemini: [0-9]+ tools' openclaw mcp probe gemini

# These two list what they would start, without starting it.
added codex codex
codex plugin marketplace add "$here" && codex plugin list
probe "Codex" 'gemini.*enabled' codex mcp list

added copilot copilot
probe "Copilot CLI" 'gemini \(local\)' copilot mcp list

exit "$failed"
