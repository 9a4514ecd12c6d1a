"""Responders: what the emulator answers, one module per kind of answer."""
