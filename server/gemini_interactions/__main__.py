"""`python -m gemini_interactions` is the command itself."""

import sys

from .cli import main

sys.exit(main())
