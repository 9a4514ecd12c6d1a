"""A Gemini Interactions API that runs on your machine, needs no key and says what you tell it."""

from .answers import Answer
from .brain import Brain
from .log import Request
from .steering import Fault, Gate
from .thread import Emulator

__all__ = ["Answer", "Brain", "Emulator", "Fault", "Gate", "Request"]
