"""The models this service knows: what each can do, and which are gone."""

from dataclasses import dataclass
from typing import Any, Literal

ALL_LEVELS = ("minimal", "low", "medium", "high")


@dataclass(frozen=True)
class EmulatedModel:
    """One model and the limits the service enforces for it."""

    name: str
    title: str
    levels: tuple[str, ...] = ALL_LEVELS
    sampling: bool = True  # takes temperature, top_p
    mixes_tools: bool = False  # takes built-in tools and functions in one request
    pictures: bool = False
    background: bool = True
    image_sizes: tuple[str, ...] = ()
    thinks: bool = True
    makes: Literal["text", "speech", "music", "video"] = "text"

    def public(self) -> dict[str, Any]:
        """This model as `GET models/{name}` shows it."""
        return {
            "name": f"models/{self.name}",
            "version": self.name.removeprefix("gemini-"),
            "displayName": self.title,
            "description": f"{self.title}, as the emulator plays it.",
            "inputTokenLimit": 65536 if self.pictures else 1048576,
            "outputTokenLimit": 32768 if self.pictures else 65536,
            "supportedGenerationMethods": ["createInteraction", "generateContent", "countTokens"],
            "thinking": self.thinks,
        }


_LOW_UP = ("low", "medium", "high")
_MODELS = [
    EmulatedModel("gemini-3.8-flash", "Gemini 3.8 Flash", _LOW_UP, sampling=False),
    EmulatedModel("gemini-4-argon", "Gemini 4 Argon", _LOW_UP, sampling=False),
    EmulatedModel("gemini-4-carbon", "Gemini 4 Carbon", _LOW_UP, sampling=False),
    EmulatedModel("gemini-4-hydrogen", "Gemini 4 Hydrogen", (*_LOW_UP, "xhigh"), sampling=False),
    EmulatedModel("gemini-4-neon", "Gemini 4 Neon", (*_LOW_UP, "xhigh"), sampling=False),
    EmulatedModel("gemini-3.7-flash", "Gemini 3.7 Flash"),
    EmulatedModel("gemini-3.6-flash", "Gemini 3.6 Flash"),
    EmulatedModel("gemini-3.5-flash", "Gemini 3.5 Flash", mixes_tools=True),
    EmulatedModel("gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite"),
    EmulatedModel("gemini-3.1-pro-preview", "Gemini 3.1 Pro Preview", _LOW_UP),
    EmulatedModel("gemini-3.1-pro-preview-customtools", "Gemini 3.1 Pro Custom Tools", _LOW_UP),
    EmulatedModel("gemini-3.1-flash-lite", "Gemini 3.1 Flash-Lite"),
    EmulatedModel("gemini-3-flash-preview", "Gemini 3 Flash Preview"),
    EmulatedModel("gemini-2.5-pro", "Gemini 2.5 Pro", mixes_tools=True),
    EmulatedModel("gemini-2.5-flash", "Gemini 2.5 Flash", mixes_tools=True),
    EmulatedModel("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", mixes_tools=True),
    EmulatedModel("gemini-flash-latest", "Gemini Flash Latest", _LOW_UP, sampling=False),
    EmulatedModel("gemini-flash-lite-latest", "Gemini Flash-Lite Latest"),
    EmulatedModel("gemini-pro-latest", "Gemini Pro Latest", _LOW_UP),
    EmulatedModel("gemma-4-26b-a4b-it", "Gemma 4 26B", thinks=False),
    EmulatedModel("gemma-4-31b-it", "Gemma 4 31B", thinks=False),
    EmulatedModel("gemini-robotics-er-1.6-preview", "Gemini Robotics-ER 1.6 Preview"),
    EmulatedModel("gemini-robotics-er-2-preview", "Gemini Robotics-ER 2 Preview"),
]


def _picture_model(name: str, title: str, *sizes: str) -> EmulatedModel:
    # Image models refuse background: true.
    return EmulatedModel(
        name,
        title,
        ("minimal", "medium", "high"),
        pictures=True,
        background=False,
        image_sizes=sizes,
    )


_MODELS += [
    _picture_model("gemini-nano-banana-2.1", "Nano Banana 2.1", "1K", "2K", "4K"),
    _picture_model("gemini-3-pro-image", "Gemini 3 Pro Image", "1K", "2K", "4K"),
    _picture_model("nano-banana-pro-preview", "Nano Banana Pro Preview", "1K", "2K", "4K"),
    _picture_model("gemini-3.1-flash-image", "Gemini 3.1 Flash Image", "512", "1K", "2K", "4K"),
    _picture_model("gemini-3.1-flash-lite-image", "Gemini 3.1 Flash-Lite Image", "1K"),
    _picture_model("gemini-2.5-flash-image", "Gemini 2.5 Flash Image", "1K"),
]
_MODELS += [
    EmulatedModel(name, title, thinks=False, background=False, makes="speech")
    for name, title in (
        ("gemini-3.8-flash-tts", "Gemini 3.8 Flash TTS"),
        ("gemini-3.8-flash-lite-tts", "Gemini 3.8 Flash-Lite TTS"),
        ("gemini-3.1-flash-tts-preview", "Gemini 3.1 Flash TTS Preview"),
    )
]
_MODELS += [
    EmulatedModel("lyria-3.5", "Lyria 3.5", thinks=False, makes="music"),
    EmulatedModel("lyria-3-pro-preview", "Lyria 3 Pro Preview", thinks=False, makes="music"),
    EmulatedModel("lyria-3-clip-preview", "Lyria 3 Clip Preview", thinks=False, makes="music"),
    EmulatedModel("gemini-omni-1.2-flash", "Gemini Omni 1.2 Flash", makes="video"),
    EmulatedModel("gemini-omni-1.1-flash", "Gemini Omni 1.1 Flash", makes="video"),
    EmulatedModel("gemini-omni-flash-preview", "Gemini Omni Flash Preview", makes="video"),
]
MODELS = {model.name: model for model in _MODELS}

# Gone for good: asked for by name they are 404 model_not_found, like any name never heard of.
RETIRED = frozenset(
    {
        "gemini-1.5-flash",
        "gemini-1.5-flash-8b",
        "gemini-1.5-pro",
        "gemini-2.0-flash",
        "gemini-2.0-flash-lite",
        "gemini-2.0-flash-exp",
        "gemini-3-pro-preview",
        "gemini-2.5-flash-image-preview",
        "gemini-3-pro-image-preview",
        "gemini-3.1-flash-image-preview",
    }
)
RETIRED_AGENTS = frozenset({"deep-research-pro-preview-12-2025", "antigravity-preview-05-2026"})
