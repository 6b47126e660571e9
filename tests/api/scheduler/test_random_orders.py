"""Random orders of facts, cancels, plate clears, deadlines and restarts (I5, I6, M11, M13–M16).

The room is a model of a bridge: a journal that consumes each grant once, and printers that print
at most one attempt. Its facts come late and doubled. After every step the invariants must hold.
"""

import random

import pytest

from api.bus.local import LocalBus
from api.errors import Conflict, Unavailable
from api.events.service import Ledger
from api.jobs import endings
from api.jobs.models import Attempt, Job
from api.principal import Principal
from api.printers.models import Printer
from schemas.jobs import AttemptEvent, AttemptState
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm
from tests.fakes.queue_room import Room, Watch, drain

E = AttemptEvent
SEEDS = [
    *range(4),
    *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(4, 200)),
]
STEPS = 60


async def act(farm: Farm, room: Room, chance: random.Random) -> None:
    """One random thing happens."""
    printers = await Printer.all()
    printer, job = chance.choice(printers), chance.choice(await Job.all())
    what = chance.randrange(10)
    try:
        match what:
            case 0:
                await farm.printers.plate_cleared(farm.admin, printer.id)
            case 1:
                await farm.printers.release_queue(farm.admin, printer.id)
            case 2:
                await farm.jobs.cancel(farm.admin, job.id)
            case 3:
                await farm.jobs.start_explicit(farm.admin, job, printer.id)
            case 4 if room.printing:
                ends = (E.COMPLETED, E.COMPLETED, E.FAILED, E.INTERRUPTED)
                room.end(chance.choice(sorted(room.printing)), chance.choice(ends))
            case 5:
                farm.restart()
            case 6:
                farm.clock.advance(chance.choice((1, 40, 130)))
            case 7:
                farm.bridges.is_online = not farm.bridges.is_online
            case _:
                await farm.scheduler.step()
    except (Conflict, Unavailable):
        pass  # who comes second, or too early, is refused
    if farm.bridges.is_online:
        await room.carry()
        await room.speak()


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_order_starts_a_job_twice_or_loses_it(
    seed: int,
    ledger: Ledger,
    clock: FakeClock,
    bus: LocalBus,
    admin: Principal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """I5, I6: one printer, one attempt; one job, one printer; ends are final; it all drains."""
    monkeypatch.setattr(endings, "CANCEL_WAIT_S", 0.0)
    farm, chance = Farm(ledger, clock, bus, admin), random.Random(seed)
    room, watch = Room(farm, chance), Watch()
    printers = [await farm.printer(), await farm.printer("Two", "usb:1")]
    jobs = [await farm.job(chance.choice([*printers, None])) for _ in range(5)]
    for _ in range(STEPS):
        await act(farm, room, chance)
        await watch.check(room)
    await drain(farm, room, printers)
    await watch.check(room)
    for job in jobs:
        state = (await farm.job_now(job)).state
        assert state in ("completed", "failed", "cancelled"), f"job {job.id} is lost: {state}"
        done = Attempt.filter(job_id=job.id, state=AttemptState.COMPLETED)
        assert await done.count() <= 1
