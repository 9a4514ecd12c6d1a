"""What is still needed to publish this: one list, of what can be seen from here and what cannot.

python -m manifests.release_check            say it; 1 where something here is wrong
python -m manifests.release_check --tag v1   the tag must be the version, too
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from gemini_interactions import __version__
from gemini_interactions.domain.client_profiles import PACKAGE
from manifests import generator

ACCOUNTS = (
    f"PyPI: an account, and {PACKAGE} with a pending trusted publisher (repository "
    f"{generator.OWNER}/{PACKAGE}, workflow release.yml, environment pypi)",
    f"GitHub: the organization {generator.OWNER}, this repository in it, an environment named pypi",
    f"MCP registry: `mcp-publisher login github` as {generator.OWNER}, then `mcp-publisher "
    "publish` with manifests/registry/server.json, after the package is on PyPI",
    "Docker's catalogue: a pull request to docker/mcp-registry with "
    "manifests/registry/docker/server.yaml, and an image that its reviewers build",
    "Smithery: smithery.yaml stands at the top of the repository; connect the repository there",
    "Glama: glama.json names the maintainers; claim the server there",
    "Gemini CLI, Claude Code and Codex read their manifests from the repository itself",
)


@dataclass(frozen=True)
class Finding:
    is_well: bool
    words: str


def findings(tag: str = "") -> Iterator[Finding]:
    """What can be seen from this checkout."""
    version = __version__
    yield Finding("dev" not in version, f"the version is {version}")
    changelog = (generator.ROOT / "CHANGELOG.md").read_text("utf-8")
    yield Finding(
        f"## {version}" in changelog, f"CHANGELOG.md has a section for {version}, with its date"
    )
    wrong = generator.differing()
    yield Finding(not wrong, f"manifests are as they should be ({len(wrong)} differ)")
    urls = generator._project().get("urls", {})
    yield Finding("Source" in urls and "Issues" in urls, "pyproject.toml names its addresses")
    readme = (generator.ROOT / "README.md").read_text("utf-8")
    yield Finding(
        f"mcp-name: {generator.REGISTRY_NAME}" in readme,
        "README.md names the server as the MCP registry wants it",
    )
    if tag:
        yield Finding(tag == f"v{version}", f"the tag {tag} is the version {version}")


def main(arguments: list[str]) -> int:
    tag = arguments[arguments.index("--tag") + 1] if "--tag" in arguments else ""
    found = list(findings(tag))
    for each in found:
        sys.stdout.write(f"{'ok  ' if each.is_well else 'TODO'}  {each.words}\n")
    sys.stdout.write("\nWhat cannot be seen from here:\n")
    for account in ACCOUNTS:
        sys.stdout.write(f"- {account}\n")
    return 0 if all(each.is_well for each in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
