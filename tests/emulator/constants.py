"""Names the emulator's tests share."""

MODEL = "gemini-3.8-flash"
FAST = "deep-research-preview-04-2026"
MAX = "deep-research-max-preview-04-2026"
