"""The demo: a real MCP client, the real server and an offline Gemini, for a person to watch.

It is a client and nothing else: it starts two processes, the emulator and the server, and
talks to them as anybody could. Whatever it shows, it has checked; what did not happen ends it.
"""

from .scenario import main

__all__ = ["main"]
