import anyio
from tests.research.lab import Lab
async def test_x(lab: Lab):
    s = await lab.start(); print(s.text, s.facts)
    lab.house.clock.advance(400)
    await anyio.sleep(0.3)
    print((await lab.check()).text)
    r = await lab.ended(s.id); print(r.text, r.facts)
    print(lab.files); print(lab.files[-1].read_text()[-600:])
    p = await lab.plan(); print(p.text)
    p = await lab.approve(p.id, "more on x"); print(p.text)
    p = await lab.ended(p.id); print(p.text)
    p = await lab.approve(p.id); print(p.text)
    p = await lab.ended(p.id); print(p.text[:300])
    for t in [(await lab.guest.history(kind="research")).text, (await lab.guest.result(s.id)).text[-900:], (await lab.cancel(s.id)).text[-800:]]: print(t)
    print(lab.house.bodies[-1])
