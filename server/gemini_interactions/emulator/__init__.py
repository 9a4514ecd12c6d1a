"""A Gemini Interactions API that runs on your machine, needs no key and says what you tell it."""

from .answers import Answer, Moment
from .brain import Brain
from .fates import Fate
from .log import Request
from .steering import Fault, Gate
from .thread import Emulator

__all__ = ["Answer", "Brain", "Emulator", "Fate", "Fault", "Gate", "Moment", "Request"]
