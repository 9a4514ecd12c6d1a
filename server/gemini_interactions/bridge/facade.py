"""The bridge: what tools and resources talk to, by noun; put together here."""

from __future__ import annotations

from dataclasses import dataclass

import anyio.abc

from .agents.service import Agents
from .artifacts.artifact_repository import ArtifactRepository
from .artifacts.image_service import Images
from .artifacts.media_service import Media
from .conversation_service import Conversations
from .mcp_tasks import Tasks
from .research.service import Researches
from .runtime import Runtime
from .turns.execution.executor import TurnExecutor
from .turns.handlers.agent import AgentHandler
from .turns.handlers.conversation import ConversationHandler
from .turns.handlers.image import ImageHandler
from .turns.handlers.music import MusicHandler
from .turns.handlers.research import ResearchHandler
from .turns.handlers.speech import SpeechHandler
from .turns.handlers.video import VideoHandler
from .turns.submission import TurnSubmission
from .turns.turn_handler import TurnHandlers
from .usage.usage_budget import UsageBudget


@dataclass(frozen=True, slots=True)
class Bridge:
    conversations: Conversations
    researches: Researches
    images: Images
    agents: Agents
    media: Media
    artifacts: ArtifactRepository
    budget: UsageBudget
    executor: TurnExecutor
    tasks: Tasks


def build_bridge(runtime: Runtime, tasks: anyio.abc.TaskGroup) -> Bridge:
    """Everything put together; turns run in `tasks`. The kinds of turns are the table here."""
    conversation = ConversationHandler(runtime)
    image = ImageHandler(runtime)
    research = ResearchHandler(runtime)
    agent = AgentHandler(runtime)
    speech, music, video = SpeechHandler(runtime), MusicHandler(runtime), VideoHandler(runtime)
    handlers = TurnHandlers(conversation, image, research, agent, speech, music, video)
    executor = TurnExecutor(runtime, handlers, tasks)
    submission = TurnSubmission(runtime, executor)
    researches = Researches(runtime, submission, executor, research)
    return Bridge(
        Conversations(runtime, submission, executor, conversation),
        researches,
        Images(runtime, submission, image),
        Agents(runtime, submission, executor, agent),
        Media(runtime, submission, speech, music, video),
        runtime.artifacts,
        runtime.budget,
        executor,
        Tasks(runtime, executor, researches),
    )
