"""Files: attachments in, files made here out, and the sandbox of folders both must stay in.

Knows the file system and bytes; knows no MCP, SQL or google-genai. Everything here may
block: callers run it in a worker thread.
"""
