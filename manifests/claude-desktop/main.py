"""Starts the server the bundle depends on."""

from gemini_interactions.cli import main

raise SystemExit(main())
