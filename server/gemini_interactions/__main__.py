"""`python -m gemini_interactions` is the command itself."""

import sys

from .cli.command_line import main

sys.exit(main())
