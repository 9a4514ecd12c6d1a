"""A Gemini Interactions API that runs on your machine, needs no key and says what you tell it."""

from .background_server import Emulator
from .control import EmulatorControl
from .request_log import Request
from .responders.scripted_answer import Answer, Moment
from .scripting.fault_injection import Fault, Gate
from .scripting.research_scenarios import ResearchScenario

__all__ = [
    "Answer",
    "Emulator",
    "EmulatorControl",
    "Fault",
    "Gate",
    "Moment",
    "Request",
    "ResearchScenario",
]
