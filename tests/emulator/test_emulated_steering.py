"""Steering: gates, delays, early departures, and the door for other processes."""

import asyncio
import json
import socket
import threading

import pytest
from google.genai._interactions import APIConnectionError, NotFoundError

from gemini_emulator import Answer, Emulator, EmulatorControl
from gemini_emulator.scripting.waiters import Waiters
from tests.emulator.constants import MODEL


def ask(gemini, **options):
    return asyncio.ensure_future(gemini.create(model=MODEL, input="Hi", **options))


@pytest.mark.parametrize(
    "point", ["before_created", "after_created", "before_completed", "before_response"]
)
async def test_a_request_waits_at_a_gate_until_it_is_released(
    gemini, control: EmulatorControl, point
):
    gate = control.hold_next(point=point)
    task = ask(gemini)

    assert await gate.reached()
    assert not task.done()
    assert control.log[0].status is None
    assert len(control.service.interactions) == (point != "before_created")
    gate.release()
    assert (await task).status == "completed"


@pytest.mark.parametrize(
    ("point", "seen"),
    [("before_created", 0), ("before_response", 0), ("after_created", 1), ("before_completed", 8)],
)
async def test_a_stream_waits_at_a_gate(gemini, control: EmulatorControl, point, seen):
    gate = control.hold_next(point=point)
    control.answer_next(Answer("Hello.", deltas=["Hello."]))
    events = []
    finished = Waiters()

    async def read():
        async for event in await ask(gemini, stream=True):
            events.append(event.event_type)
            finished.notify()

    task = asyncio.ensure_future(read())
    assert await gate.reached()
    assert await finished.until(lambda: len(events) == seen, timeout=5)
    gate.release()
    await task

    assert len(events) == 9
    assert events[-1] == "interaction.completed"


@pytest.mark.parametrize("kind", ["get", "cancel", "delete", "models"])
async def test_every_kind_of_request_can_be_held(gemini, client, control: EmulatorControl, kind):
    control.hold_background()
    made = await ask(gemini, background=True)
    gate = control.hold_next(on=kind)
    requests = {
        "get": lambda: gemini.get(made.id),
        "cancel": lambda: gemini.cancel(made.id),
        "delete": lambda: gemini.delete(made.id),
        "models": lambda: client.aio.models.get(model=MODEL),
    }
    task = asyncio.ensure_future(requests[kind]())

    assert await gate.reached()
    gate.release()
    await task


async def test_gates_hold_one_request_each_and_not_the_others(gemini, control: EmulatorControl):
    first, second = control.hold_next(), control.hold_next()
    tasks = [ask(gemini), ask(gemini)]
    await first.reached()
    await second.reached()
    free = await ask(gemini)
    second.release()
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    assert free.status == "completed"
    assert len(done) == 1
    first.release()
    await asyncio.gather(*tasks)


def test_a_gate_is_released_from_a_thread_for_a_client_in_another(
    emulator, control: EmulatorControl
):
    gate = control.hold_next()
    body = json.dumps({"model": MODEL, "input": "Hi"})
    answers = []

    def post():
        with socket.create_connection(("127.0.0.1", emulator.port)) as client:
            head = f"POST /v1/interactions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            client.sendall(f"{head}x-goog-api-key: k\r\nConnection: close\r\n\r\n{body}".encode())
            while data := client.recv(65536):
                answers.append(data)

    thread = threading.Thread(target=post)
    thread.start()
    assert gate.wait_reached()
    assert not answers
    gate.release()
    thread.join()

    assert b'"status":"completed"' in b"".join(answers)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wait", ["gate", "delay", "answer"])
async def test_a_client_that_leaves_is_noticed_at_once(
    gemini, control: EmulatorControl, wait, stream
):
    gate = control.hold_next(point="after_created") if wait == "gate" else None
    if wait == "delay":
        control.delay(60)
    if wait == "answer":
        control.answer_next(Answer("Late.", delay=60))

    async def read():
        answer = await ask(gemini, stream=stream)
        async for _ in answer:
            pass

    task = asyncio.ensure_future(read())
    assert await control.until(
        lambda: bool(control.log) and control.log[0].interaction_id is not None
    )
    if gate:
        await gate.reached()
    task.cancel()

    assert await control.until(lambda: control.log[0].ended)
    assert control.log[0].closed_early
    left = await gemini.get(control.log[0].interaction_id)
    assert left.status == "completed"


async def test_a_foreground_interaction_may_be_lost_with_its_client(
    gemini, control: EmulatorControl
):
    control.foreground_disconnect = "lost"
    gate = control.hold_next(point="after_created")
    task = ask(gemini)
    await gate.reached()
    task.cancel()
    await control.until(lambda: control.log[0].ended)

    with pytest.raises(NotFoundError):
        await gemini.get(control.log[0].interaction_id)


async def test_a_background_run_does_not_mind_who_watches(gemini, control: EmulatorControl):
    control.hold_background()
    made = await ask(gemini, background=True)
    stream = await gemini.get(made.id, stream=True)
    await anext(aiter(stream))
    await stream.__aexit__(None, None, None)

    assert await control.until(lambda: control.log[1].closed_early)
    assert (await gemini.get(made.id)).status == "in_progress"


async def test_a_client_that_reads_to_the_end_has_not_left_early(gemini, control: EmulatorControl):
    async for _ in await ask(gemini, stream=True):
        pass
    await ask(gemini)

    assert await control.until(lambda: all(request.ended for request in control.log))
    assert [request.closed_early for request in control.log] == [False, False]


async def test_a_delayed_stream_begins_at_once_and_ends_when_the_delay_is_lifted(gemini, control):
    control.delay(60)
    stream = aiter(await ask(gemini, stream=True))
    first = await anext(stream)
    control.delay(0)
    rest = [event async for event in stream]

    assert first.event_type == "interaction.created"
    assert rest[-1].event_type == "interaction.completed"


async def test_a_delay_is_for_its_kind_of_request(gemini, control: EmulatorControl):
    control.delay(60, on="get")
    made = await ask(gemini)
    task = asyncio.ensure_future(gemini.get(made.id))
    await control.until(lambda: control.log[-1].kind == "get")
    control.delay(0, on="get")

    assert (await task).status == "completed"


async def test_the_first_byte_can_be_delayed(gemini, control: EmulatorControl):
    control.delay(0, first_byte=60)
    task = ask(gemini, stream=True)
    await control.until(lambda: len(control.log) == 1)
    assert not control.service.interactions
    control.delay(0)

    assert [event async for event in await task][-1].event_type == "interaction.completed"


async def test_short_delays_pass_by_themselves(gemini, control: EmulatorControl):
    control.delay(0.01)

    assert (await ask(gemini)).status == "completed"
    assert [e async for e in await ask(gemini, stream=True)][-1].interaction.status == "completed"


async def test_a_reset_lets_everybody_go_and_forgets_everything(gemini, control: EmulatorControl):
    gate = control.hold_next(point="after_created")
    held = ask(gemini)
    await gate.reached()
    control.fault_next("hang")
    hung = ask(gemini)
    control.hold_background()
    await control.until(lambda: len(control.log) == 2)
    made = await ask(gemini, background=True)
    following = aiter(await gemini.get(made.id, stream=True))
    await anext(following)
    control.reset()

    assert (await held).status == "completed"
    with pytest.raises(APIConnectionError):
        await hung
    with pytest.raises(APIConnectionError):
        async for _ in following:
            pass
    assert control.log == []
    with pytest.raises(NotFoundError):
        await gemini.get(made.id)


async def test_a_new_control_knows_nothing_of_the_old(
    gemini, emulator: Emulator, control: EmulatorControl
):
    made = await ask(gemini)
    emulator.control = EmulatorControl()

    with pytest.raises(NotFoundError):
        await gemini.get(made.id)


async def test_many_requests_wait_side_by_side(gemini, control: EmulatorControl):
    gates = [control.hold_next() for _ in range(50)]
    tasks = [ask(gemini) for _ in gates]
    for gate in gates:
        assert await gate.reached(timeout=20)
    for gate in gates:
        gate.release()

    assert {answer.status for answer in await asyncio.gather(*tasks)} == {"completed"}
    assert len({request.interaction_id for request in control.posts}) == 50


async def test_a_bell_wakes_threads_and_loops():
    finished, rung = Waiters(), list[object]()
    thread = threading.Thread(target=lambda: rung.append(finished.wait_until(lambda: bool(rung))))
    thread.start()
    waiting = asyncio.ensure_future(finished.until(lambda: bool(rung)))
    rung.append("now")
    finished.notify()

    assert await waiting
    await asyncio.to_thread(thread.join)
    assert rung == ["now", True]
    assert not finished.wait_until(lambda: False, timeout=0.001)
    assert not await finished.until(lambda: False, timeout=0.001)


def test_an_emulator_can_be_started_again_and_frees_its_port():
    emulator = Emulator()
    with emulator:
        port = emulator.port
        assert emulator.url == f"http://127.0.0.1:{port}"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with Emulator(port=port) as again:
        assert again.port == port
        with pytest.raises(OSError, match="in use"), Emulator(port=port):
            pass


async def test_stopping_does_not_wait_for_clients(client):
    from google import genai
    from google.genai.types import HttpOptions

    with Emulator() as emulator:
        other = genai.Client(api_key="k", http_options=HttpOptions(base_url=emulator.url))
        gate = emulator.control.hold_next()
        task = ask(other.aio.interactions)
        await gate.reached()
    with pytest.raises(APIConnectionError):
        await task
    await other.aio.aclose()
    other.close()


async def test_another_process_steers_through_the_door(gemini, raw, control: EmulatorControl):
    async def steer(name, args=None):
        response = await raw.post("/_emulator/steer", json={"do": name, "args": args or {}})
        assert response.status_code == 200, response.text
        return response.json()["result"]

    await steer("answer_next", {"answer": {"text": "Scripted.", "status": "incomplete"}})
    await steer("answer_when", ["Hi", "Always."])
    await steer("set", {"background_seconds": 60})
    answers = [await ask(gemini), await ask(gemini)]
    gate = await steer("hold_next", {"on": "get"})
    task = asyncio.ensure_future(gemini.get(answers[0].id))
    await control.until(lambda: control.log[-1].kind == "get")
    await steer("release", [gate])
    got = await task
    log = (await raw.get("/_emulator/log")).json()["log"]

    assert [(a.output_text, a.status) for a in answers] == [
        ("Scripted.", "incomplete"),
        ("Always.", "completed"),
    ]
    assert got.id == answers[0].id
    assert [entry["kind"] for entry in log] == ["create", "create", "get"]
    assert (await steer("interaction", [got.id]))["status"] == "incomplete"
    assert (await raw.post("/_emulator/reset")).status_code == 200
    assert control.log == []


@pytest.mark.parametrize(
    "order",
    [
        {"do": "explode"},
        {"do": "set", "args": {"log": []}},
        {"do": "finish", "args": ["v1_x"]},
        {"do": "fault_next", "args": ["explode"]},
        {"do": "fail_next", "args": {"zzz": 1}},
        "reset",
    ],
)
async def test_the_door_explains_what_it_cannot_do(raw, order):
    response = await raw.post("/_emulator/steer", json=order)

    assert response.status_code == 400
    assert response.json()["error"]


async def test_the_door_is_closed_to_other_names_of_this_machine(raw):
    response = await raw.post("/_emulator/reset", headers={"Host": "evil.example"})

    assert response.status_code == 403
    assert (await raw.get("/_emulator/secrets")).status_code == 404
