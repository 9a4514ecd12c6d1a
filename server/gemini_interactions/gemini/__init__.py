"""The client of the Interactions API; the only package that knows google-genai."""

from gemini_interactions.gemini.client import Gemini
from gemini_interactions.gemini.serialization import Model

__all__ = ["Gemini", "Model"]
