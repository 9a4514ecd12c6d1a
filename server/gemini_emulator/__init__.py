"""A Gemini Interactions API that runs on your machine, needs no key and says what you tell it."""

from .background_server import Emulator
from .control import EmulatorControl
from .fault_injection import Fault, Gate
from .request_log import Request
from .research_scenarios import ResearchScenario
from .responders.scripted_answer import Answer, Moment

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
