import random, time, anyio, asyncio, threading, sys, traceback
from tests.research.test_kills import *
async def test_x(real, start):
    loop=asyncio.get_running_loop()
    def dump():
        for _ in range(2):
            time.sleep(12)
            for t in asyncio.all_tasks(loop):
                print('----', t.get_name(), flush=True)
                t.print_stack(limit=6)
    threading.Thread(target=dump,daemon=True).start()
    dice, diary = random.Random(SEED), Diary()
    real.brain.research_seconds = 0.5
    print("begin", flush=True)
    while len(diary.told) < RESEARCHES:
        s=await start(dice.choice(["legacy", "modern"]), **SOON)
        print("born", flush=True)
        await life(s, diary, dice)
        print(diary.kills, len(diary.told), flush=True)
