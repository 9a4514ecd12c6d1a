"""Where the samples are: recorded answers of the API, and what we make of each."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
SAMPLES = DATA / "interactions"
"""What the API sent: JSON, and event streams."""
EXPECTED = DATA / "expected"
"""The interaction that each event stream amounts to."""
GOLDEN = DATA / "golden"
"""The text that each sample is shown as."""
