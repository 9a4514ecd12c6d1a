"""The service itself, without HTTP: it creates, shows, cancels and forgets interactions."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from . import ids, token_usage
from .api_errors import ApiError, invalid, missing, precondition
from .interaction import EventIds, Interaction
from .json_types import Json
from .model_catalog import MODELS
from .requests import input_parsing, request_validation
from .resources.custom_agents import CustomAgents
from .resources.environments import Environment, Environments
from .resources.file_search_stores import Document, FileSearchStores
from .resources.files import Files
from .responders import antigravity, research, research_plan
from .responders.antigravity import Antigravity
from .responders.image import ImageResponder, ImageSettings
from .responders.media import MediaResponder, MediaSettings
from .responders.scripted_answer import Answer, Answerer, Turn
from .responders.text import TextResponder
from .scripting.research_scenarios import ResearchScenario

Clock = Callable[[], datetime | float]
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
WRONG_KEY = "wrong-key"
FREE_KEY = "free-key"  # a key without billing: no images, no research

_PLAIN = vars(Answer())
# Agents join here: name -> who plays it.
AGENTS: dict[str, Answerer] = {}


class Service:
    """Everything the real service would remember and enforce."""

    def __init__(self, clock: Clock | None = None, keys: set[str] | None = None) -> None:
        self.lock = threading.RLock()
        self.keys = keys
        self.research = research.ResearchSettings()
        self.agents: dict[str, Answerer] = {
            **research.agents(self.research),
            antigravity.NAME: Antigravity(),
            **AGENTS,
        }
        self.custom_agents = CustomAgents((antigravity.NAME,))
        self.environments = Environments(self.now)
        self.stores = FileSearchStores(self.now)
        self.store_uploads: dict[str, Document] = {}  # on their way
        self.text: Answerer = TextResponder()
        self.image_settings = ImageSettings()
        self.pictures = ImageResponder(self.image_settings)
        self.mint = ids.Mint()
        self.files = Files(ids.Mint("files"), self.now)
        self.media_settings = MediaSettings()
        self.media = {
            kind: MediaResponder(kind, self.media_settings, self._add_file)
            for kind in ("speech", "music", "video")
        }
        self.interactions: dict[str, Interaction] = {}
        self.answers: deque[Answer] = deque()
        self.sticky: list[tuple[str, Answer]] = []
        self.background_seconds = 0.0
        self.background_is_held = False
        self.foreground_disconnect: Literal["completes", "lost"] = "completes"
        self.cancel_looks = 0
        self.next_lag: tuple[int, float, int] | None = None
        self.event_ids: EventIds = "sparse"
        self.free_tier = False
        self.clock_is_ours = clock is None
        self._clock = clock or (lambda: START)
        self._advanced = timedelta()

    # Time

    def now(self) -> datetime:
        time = self._clock()
        if not isinstance(time, datetime):
            time = datetime.fromtimestamp(time, UTC)
        return time + self._advanced

    def advance(self, seconds: float) -> None:
        with self.lock:
            self._advanced += timedelta(seconds=seconds)
            for interaction in self.interactions.values():
                self.settle(interaction)

    def settle(self, interaction: Interaction) -> None:
        """A background run is as far as it can be by now, perhaps at its end."""
        with self.lock:
            now = self.now()
            if interaction.may_start(now):
                interaction.start()
            if interaction.due is None or interaction.is_in_line:
                return
            if interaction.due <= now:
                interaction.conclude(interaction.due)  # whenever somebody looks
                return
            takes = interaction.due - interaction.begun
            interaction.reach((now - interaction.begun) / takes)

    # What clients ask for

    def admit(self, key: str | None) -> None:
        if not key or key == WRONG_KEY or (self.keys is not None and key not in self.keys):
            raise ApiError(401)

    def create(self, body: Any, key: str | None = None) -> Interaction:
        with self.lock:
            request_validation.check(body, self.agents)
            self._check_quota(body, key)
            previous = self._previous(body)
            given = input_parsing.steps_of(body["input"]) if body.get("input") else []
            environment = self._environment(body)
            turn = self._turn(body, given, environment)
            if previous and body.get("continuation_token") not in (
                None,
                previous.answer.continuation_token,
            ):
                raise invalid("Invalid value at 'continuation_token'.")
            self.files.check_input(given, key)
            self.stores.check(_stores(body))
            input_parsing.check_results(turn.history, given)
            if _paints(body):
                self.pictures.check_input(given)
            elif not body.get("agent") and (media := self.media.get(_makes(body))):
                media.check_input(given)
            root = previous.root if previous else None
            interaction_id, root = self.mint.interaction(root)
            answer, steps = self._compose(turn)
            fates = self.research.fates
            fate = fates.popleft() if body.get("agent") and fates else None
            if fate is not None:
                answer, steps = fate.answer(answer, steps)
            interaction = Interaction(
                id=interaction_id,
                root=root,
                body=body,
                input=given,
                answer=answer,
                planned=steps,
                created=self.now(),
                usage=self._usage(turn, answer, steps),
                status=fate.status if fate else "in_progress",
                moments=list(answer.progress),
                event_ids=self.event_ids,
                environment_id=environment.id if environment else "",
            )
            if environment is not None:
                environment.runs.append(interaction)
            self._begin(interaction, fate)
            return interaction

    def _begin(self, interaction: Interaction, fate: ResearchScenario | None) -> None:
        if interaction.stored:
            self.interactions[interaction.id] = interaction
        if self.next_lag is not None:
            interaction.lag_looks, seconds, interaction.lag_status = self.next_lag
            interaction.lag_until = self.now() + timedelta(seconds=seconds)
            self.next_lag = None
        if interaction.is_agents:
            interaction.hide_usage(self.research.usage_looks, self.research.usage_seconds)
        if interaction.background and not self.background_is_held:
            seconds = self._usual_seconds(interaction) * interaction.answer.pace
            seconds += interaction.answer.delay
            interaction.due = self.now() + timedelta(seconds=seconds)
        if fate is not None:
            fate.befall(interaction, self.now())

    def _usual_seconds(self, interaction: Interaction) -> float:
        if interaction.is_agents and self.research.seconds is not None:
            return self.research.seconds
        return self.background_seconds

    def _environment(self, body: Json) -> Environment | None:
        """Where an agent that works in a sandbox does so."""
        agent = self.agents.get(str(body.get("agent")))
        if not isinstance(agent, Antigravity):
            return None
        own = agent.definition.get("base_environment")
        wanted = body.get("environment")
        return self.environments.prepare(own if wanted in (None, "remote") and own else wanted)

    def create_agent(self, body: Any) -> Json:
        with self.lock:
            made = self.custom_agents.create(body)
            self.agents[made["id"]] = Antigravity(made)
            return made

    def delete_agent(self, id: str) -> None:
        with self.lock:
            self.custom_agents.delete(id)
            del self.agents[id]

    def _search(self, names: Sequence[str], query: str) -> Json | None:
        found = self.stores.search(names, query)
        if found is None:
            return None
        document, line = found
        name = document.display_name
        return {"line": line, "citation": {"file_name": name, "document_uri": document.name}}

    def _turn(self, body: Json, given: list[Json], environment: Environment | None = None) -> Turn:
        previous = body.get("previous_interaction_id")
        return Turn(
            body,
            given,
            self.history(previous) if previous else [],
            self.mint.call,
            self.mint.signature,
            [interaction.body for interaction in self.chain(previous)] if previous else [],
            environment=environment,
            search=self._search,
        )

    def _check_quota(self, body: Json, key: str | None) -> None:
        """Free keys have a quota of nothing for what is expensive."""
        if not self.free_tier and key != FREE_KEY:
            return
        if body.get("agent") or _paints(body) or _makes(body) != "text":
            name = str(body.get("agent") or body["model"]).removeprefix("models/")
            raise ApiError(
                429,
                "You exceeded your current quota, please check your plan and billing details. "
                "* Quota exceeded for metric: generativelanguage.googleapis.com/"
                f"generate_requests_per_model_per_day, limit: 0, model: {name}",
            )

    def _previous(self, body: Json) -> Interaction | None:
        if not body.get("previous_interaction_id"):
            return None
        previous = self.look(body["previous_interaction_id"])
        if previous.is_running:
            raise precondition(
                f"The previous interaction is not finished: its status is '{previous.status}'."
            )
        return previous

    def look(self, interaction_id: str) -> Interaction:
        """The interaction as a request finds it: malformed 400, unknown or lagging 404."""
        with self.lock:
            if not ids.is_well_formed(interaction_id):
                raise invalid(f"Invalid interaction id '{interaction_id}'.")
            interaction = self.interactions.get(interaction_id)
            if interaction is None or interaction.gone:
                raise missing()
            if interaction.lag_looks > 0:
                interaction.lag_looks -= 1
                raise ApiError(interaction.lag_status)
            if interaction.lag_until is not None and interaction.lag_until > self.now():
                raise ApiError(interaction.lag_status)
            self.settle(interaction)
            interaction.looked_at(self.now())
            if interaction.cancel_looks is not None and interaction.is_running:
                interaction.cancel_looks -= 1
                if interaction.cancel_looks < 0:
                    interaction.close("cancelled", self.now())
            return interaction

    def cancel(self, interaction_id: str) -> Interaction:
        with self.lock:
            interaction = self.look(interaction_id)
            if not interaction.is_running:
                raise precondition(
                    f"The interaction cannot be cancelled: its status is '{interaction.status}'."
                )
            if not interaction.background:
                raise precondition("Only background interactions can be cancelled.")
            interaction.due = None
            if self.cancel_looks:
                interaction.cancel_looks = self.cancel_looks
            else:
                interaction.close("cancelled", self.now())
            return interaction

    def delete(self, interaction_id: str) -> None:
        """Forget it; a run under way goes on, unseen."""
        with self.lock:
            self.look(interaction_id).gone = True

    def models(self) -> list[Json]:
        return [model.public() for model in MODELS.values()]

    def model(self, name: str) -> Json:
        model = MODELS.get(name.removeprefix("models/"))
        if model is None:
            raise ApiError(404, f"models/{name} is not found.", shape="google")
        return model.public()

    # Answers

    def _compose(self, turn: Turn) -> tuple[Answer, list[Json]]:
        scripted = self.answers.popleft() if self.answers else None
        if scripted is None:
            prompt = turn.prompt
            wanted = (answer for part, answer in reversed(self.sticky) if part in prompt)
            scripted = next(wanted, None)
        return self._default(turn) if scripted is None else self._scripted(scripted, turn)

    def _scripted(self, answer: Answer, turn: Turn) -> tuple[Answer, list[Json]]:
        if not answer.is_wish:
            return self.plan(answer, turn)
        usual, steps = self._default(replace(turn, wish=answer))
        said = {name: value for name, value in vars(answer).items() if value != _PLAIN[name]}
        return replace(usual, **said), steps

    def _default(self, turn: Turn) -> tuple[Answer, list[Json]]:
        if turn.body.get("agent"):
            answerer = self.agents[turn.name]
        else:
            usual = self.media.get(_makes(turn.body), self.text)
            answerer = self.pictures if _paints(turn.body) else usual
        answer, steps = self.plan(answerer.answer(turn), turn)
        most = turn.config.get("max_output_tokens")
        if most is not None and _shorten(steps, most):
            answer = Answer(steps=steps, status="incomplete")
        return answer, steps

    def plan(self, answer: Answer, turn: Turn) -> tuple[Answer, list[Json]]:
        """The answer complete in all its parts, and its steps."""
        if answer.status == "requires_continuation" and not answer.continuation_token:
            answer = Answer(**{**vars(answer), "continuation_token": self.mint.token()})
        if answer.steps is not None:
            return answer, [dict(step) for step in answer.steps]
        thought: Json = {"type": "thought", "signature": turn.signature()}
        if answer.thought is not None:
            thought["summary"] = [{"type": "text", "text": answer.thought}]
        text = answer.text if answer.text is not None else "".join(answer.deltas or [])
        said = {"type": "model_output", "content": [{"type": "text", "text": text}]}
        return answer, [thought, said] if text else [thought]

    def replan(self, interaction: Interaction, answer: Answer) -> None:
        """Let a run that has not ended say something else."""
        with self.lock:
            where = self.environments.all.get(interaction.environment_id)
            turn = self._turn(interaction.body, interaction.input, where)
            answer, steps = self._scripted(answer, turn)
            interaction.answer, interaction.planned = answer, steps
            interaction.moments = list(answer.progress)
            interaction.usage = self._usage(turn, answer, steps)

    def _usage(self, turn: Turn, answer: Answer, steps: list[Json]) -> Json | None:
        if answer.usage is not None:
            return answer.usage or None
        return token_usage.count(turn.body, turn.steps, steps)

    def _add_file(self, data: bytes, mime_type: str) -> str:
        return self.files.uri(self.files.add(data, mime_type, None, is_ready=True))

    # Memory

    def chain(self, interaction_id: str) -> list[Interaction]:
        """From the first interaction of the chain to this one, forgotten ones included."""
        found: list[Interaction] = []
        at: str | None = interaction_id
        while at is not None and at in self.interactions:
            found.insert(0, self.interactions[at])
            at = found[0].previous_id
        return found

    def history(self, interaction_id: str) -> list[Json]:
        """Every step said up to and including this interaction, as far as it is remembered."""
        steps: list[Json] = []
        for interaction in self.chain(interaction_id):
            # What was deleted or has expired is no longer part of the conversation.
            if not interaction.gone:
                steps += [*interaction.input, *interaction.steps]
        return steps

    def state(self, interaction: Interaction) -> Json:
        """A research in the words of a test: where it comes from and how far it is."""
        bodies = [each.body for each in self.chain(interaction.id)]
        takes = (interaction.due - interaction.begun).total_seconds() if interaction.due else None
        gone = (self.now() - interaction.begun).total_seconds()
        plan = research_plan.is_wanted(interaction.body)
        over = 0.0 if takes is None else 1.0 if takes <= 0 else min(1.0, gone / takes)
        return {
            "id": interaction.id,
            "agent": interaction.body.get("agent"),
            "question": research_plan.question(bodies),
            "status": interaction.status,
            "is_plan": plan,
            "follows": interaction.previous_id,
            "share": over if interaction.is_running else 1.0,
            "seconds": takes,
            "has_usage": interaction.has_usage and interaction.usage is not None,
            **research.told(interaction.so_far),
        }

    def left(self, interaction: Interaction) -> None:
        """The client of a foreground interaction went away before the answer."""
        with self.lock:
            if interaction.background or not interaction.is_running:
                return
            if self.foreground_disconnect == "lost":
                interaction.gone = True
                interaction.close("cancelled", self.now())
            else:
                interaction.conclude(self.now())


def _stores(body: Json) -> list[str]:
    tools = [tool for tool in body.get("tools") or [] if tool.get("type") == "file_search"]
    return [str(name) for tool in tools for name in tool.get("file_search_store_names") or []]


def _paints(body: Json) -> bool:
    """Whether an image model is asked."""
    return not body.get("agent") and MODELS[body["model"].removeprefix("models/")].pictures


def _makes(body: Json) -> str:
    """What the model that is asked makes: text, speech, music or video."""
    return MODELS[body["model"].removeprefix("models/")].makes


def _shorten(steps: list[Json], most: int) -> bool:
    """Cut the text of the answer to so many tokens; True when there was more."""
    for index, step in enumerate(steps):
        if step.get("type") != "model_output":
            continue
        for part in step["content"]:
            if part.get("type") == "text" and token_usage.tokens(part["text"]) > most:
                text = part["text"].encode()[: most * 4].decode(errors="ignore")
                steps[index] = {"type": "model_output", "content": [{**part, "text": text}]}
                steps[index]["content"][0].pop("annotations", None)
                del steps[index + 1 :]
                return True
    return False
