import random, time, anyio
from tests.research.test_kills import *
async def test_x(real, start):
    dice, diary = random.Random(SEED), Diary()
    real.brain.research_seconds = 0.5
    while len(diary.told) < RESEARCHES:
        await life(await start(dice.choice(["legacy", "modern"]), **SOON), diary, dice)
    for _ in range(2):
        await life(await start(**SOON), diary, dice)
    one = await start(**SOON)
    t=time.time(); n=len(real.brain.log)
    for i in range(8):
        await anyio.sleep(1)
        print(i, len(real.brain.log)-n, [(round(e.at.timestamp()-t,2), e.kind, e.stream, e.status, e.interaction_id[-6:] if e.interaction_id else None) for e in real.brain.log[n:]][:40] if i in (1,7) else '')
    id=list(diary.told.values())[0]
    print(real.brain.interaction(id.interaction)['status'], real.brain.research(id.interaction))
    print((await one.call("check_research", research_id=id.id)).text)
    print(one.log)
