"""Rendering: from turns and artifacts to the text and data of a tool result."""
