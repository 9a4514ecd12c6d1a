"""The emulated image model: it says a sentence and paints a very small picture."""

from .answers import Answer, Json, Turn, text_step

# Two by two grey pixels, a real JPEG.
JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP////////////////////////////////////////////////////////"
    "//////////////////////////////wAALCAACAAIBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAA"
    "AAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z"
)


class Pictures:
    """Answers an image model's turn when nobody scripted it."""

    def check(self, body: Json) -> None:
        """Image models have no rules beyond those of rules.py."""

    def answer(self, turn: Turn) -> Answer:
        image = {"type": "image", "mime_type": "image/jpeg", "data": JPEG}
        return Answer(
            steps=[
                text_step("Here is your picture.\n"),
                {"type": "thought", "signature": turn.signature()},
                {"type": "model_output", "content": [image, {"type": "text", "text": "Done."}]},
            ]
        )
