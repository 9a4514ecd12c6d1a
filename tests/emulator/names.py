"""Names the emulator's tests share."""

MODEL = "gemini-3.8-flash"
