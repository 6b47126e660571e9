"""People at the farm: they start, steer, stop, clear plates, rename; some press stale buttons.

Whoever clears a plate takes the part off first, and only from a machine that stands. Somebody with
an old page open says so without having looked: that claim must never be worth anything while a
print is under way.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from api.errors import NotFound
from api.jobs.models import Job
from api.jobs.service import NewJob
from api.printers.models import Printer
from schemas.commands import GcodeArgs, TemperatureArgs, Verb
from schemas.jobs import JOB_RUNNING, JOB_WAITING, JobState
from schemas.printer import PrinterState
from tests.simulation.farm import ADMIN, Farm, tag_of
from tests.simulation.history import History
from tests.simulation.machines import JOG, Machine
from tests.simulation.room import Room

Act = Callable[[int], Coroutine[Any, Any, object]]


class People:
    """Everybody who asks something of the farm."""

    def __init__(self, farm: Farm, room: Room, history: History, seed: str) -> None:
        machines = room.machines
        self.farm, self.room, self.history = farm, room, history
        self.machines = machines.machines
        self.rng = random.Random(f"{seed} people")
        self.renamed: dict[int, int] = {}
        self.acts: list[tuple[int, Act]] = [
            (6, self.queue),
            (5, self.start_now),
            (4, self.pause),
            (4, self.resume),
            (4, self.cancel),
            (3, self.gcode),
            (3, self.temperature),
            (1, self.connect),
            (1, self.disconnect),
            (2, self.remote_stop),
            (4, self.recover),
            (4, self.clear),
            (2, self.stale_clear),
            (3, self.clear_in_the_room),
            (2, self.queue_more),
            (2, self.queue_anywhere),
            (2, self.cancel_waiting),
            (2, self.release),
            (2, self.rename),
        ]

    def only(self, names: tuple[str, ...]) -> None:
        """Let people do nothing else than these."""
        self.acts = [(weight, act) for weight, act in self.acts if act.__name__ in names]

    async def live(self, acts: int, pause_s: float) -> None:
        """Do *acts* things, one every *pause_s* seconds or so; some at once."""
        weights = [weight for weight, _ in self.acts]
        for _ in range(acts):
            await asyncio.sleep(self.rng.choice((0.0, pause_s, pause_s, 2 * pause_s)))
            (_, act) = self.rng.choices(self.acts, weights)[0]
            await act(self.rng.choice(list(self.machines)))

    async def _ask(self, what: str, printer: int, work: Coroutine[Any, Any, Any]) -> str:
        answer = await self.farm.ask(work)
        self.history.add("person", what, printer=printer, answer=answer)
        return answer

    # Jobs.

    async def _new(self, printer: int) -> Job:
        new = NewJob(item_name="Cube", printer_id=printer, blob_id=1, file_name="cube.gcode")
        return await self.farm.rooms.jobs.create(ADMIN, new)

    async def queue(self, printer: int) -> str:
        return await self._ask("queue", printer, self._new(printer))

    async def queue_more(self, printer: int) -> str:
        """Several at once: some will be with the room."""
        for _ in range(2):
            await self.queue(printer)
        return await self.queue(printer)

    async def queue_anywhere(self, printer: int) -> str:
        """For any printer with what only this one has: it may be with the room, too."""
        for _ in range(2):
            await self._ask("queue_anywhere", printer, self._new_anywhere(printer))
        return await self._ask("queue_anywhere", printer, self._new_anywhere(printer))

    async def _new_anywhere(self, printer: int) -> Job:
        details = {"required_tags": [tag_of(printer)]}
        new = NewJob(item_name="Ring", details=details, blob_id=1, file_name="ring.gcode")
        return await self.farm.rooms.jobs.create(ADMIN, new)

    async def start_now(self, printer: int) -> str:
        async def work() -> None:
            job = await self._new(printer)
            await self.farm.rooms.jobs.start_explicit(ADMIN, job)

        return await self._ask("start_now", printer, work())

    async def cancel(self, printer: int) -> str:
        return await self._cancel("cancel", printer, JOB_RUNNING | {JobState.PENDING})

    async def cancel_waiting(self, printer: int) -> str:
        """Of what waits, which may be with the room."""
        return await self._cancel("cancel_waiting", printer, JOB_WAITING)

    async def cancel_job(self, job: int) -> str:
        """One that waits, wherever it is."""

        async def work() -> None:
            await self.farm.rooms.jobs.cancel(ADMIN, job)

        return await self._ask("cancel_job", 0, work())

    async def _cancel(self, what: str, printer: int, states: frozenset[JobState]) -> str:
        async def work() -> None:
            jobs = Job.filter(printer_id=printer, state__in=tuple(states))
            job = await jobs.order_by("id").first()
            if job is None:
                raise NotFound("nothing to cancel")
            await self.farm.rooms.jobs.cancel(ADMIN, job.id)

        return await self._ask(what, printer, work())

    # Commands.

    async def _tell(self, what: str, printer: int, verb: Verb, args: Any = None) -> str:
        async def work() -> None:
            row = await Printer.get(id=printer)
            await self.farm.rooms.commands.issue(ADMIN, row, verb, args)

        return await self._ask(what, printer, work())

    async def pause(self, printer: int) -> str:
        return await self._tell("pause", printer, Verb.PAUSE)

    async def resume(self, printer: int) -> str:
        return await self._tell("resume", printer, Verb.RESUME)

    async def gcode(self, printer: int) -> str:
        args = GcodeArgs(["M117 hello"])
        if self.rng.random() < 0.5:
            args = GcodeArgs([JOG, "G1 X1", "G90"], jog=self.rng.choice("xy"))
        return await self._tell("gcode", printer, Verb.GCODE, args)

    async def temperature(self, printer: int) -> str:
        target_c = float(self.rng.randrange(20, 200))
        return await self._tell(
            "temperature", printer, Verb.TEMPERATURE, TemperatureArgs({"tool0": target_c})
        )

    async def connect(self, printer: int) -> str:
        return await self._tell("connect", printer, Verb.CONNECT)

    async def disconnect(self, printer: int) -> str:
        return await self._tell("disconnect", printer, Verb.DISCONNECT)

    async def remote_stop(self, printer: int) -> str:
        return await self._tell("remote_stop", printer, Verb.REMOTE_STOP)

    async def recover(self, printer: int) -> str:
        """Do what the printer's state asks for."""
        row = await Printer.get(id=printer)
        if row.state == PrinterState.HALTED:
            return await self._tell("reset_stop", printer, Verb.RESET_STOP)
        if row.state in (PrinterState.OFFLINE, PrinterState.ERROR):
            return await self.connect(printer)
        if row.state == PrinterState.PAUSED:
            return await self.resume(printer)
        return "nothing to do"

    # The plate and the rest.

    async def clear(self, printer: int) -> str:
        """Take the part off a machine that stands, then say so."""
        machine: Machine = self.machines[printer]
        if machine.run is not None or machine.kept is not None:
            return "it prints"
        machine.plate.occupied = False
        work = self.farm.rooms.printers.plate_cleared(ADMIN, printer)
        return await self._ask("clear", printer, work)

    async def clear_in_the_room(self, printer: int) -> str:
        """Take the part off a machine that stands, then say `bridge plate clear` there."""
        machine: Machine = self.machines[printer]
        if machine.run is not None or machine.kept is not None:
            return "it prints"
        machine.plate.occupied = False
        answer = await self.room.plate_cleared(printer)
        self.history.add("person", "clear_in_the_room", printer=printer, answer=answer)
        return answer

    async def stale_clear(self, printer: int) -> str:
        """Say so from an old page, while it prints."""
        if self.machines[printer].run is None:
            return "nothing runs"
        online = self.farm.rooms.bridges.online(1)
        answer = await self.farm.ask(self.farm.rooms.printers.plate_cleared(ADMIN, printer))
        self.history.add("person", "stale_clear", printer=printer, answer=answer, online=online)
        return answer

    async def release(self, printer: int) -> str:
        work = self.farm.rooms.printers.release_queue(ADMIN, printer)
        return await self._ask("release", printer, work)

    async def rename(self, printer: int) -> str:
        number = self.renamed.get(printer, 0) + 1
        self.renamed[printer] = number
        values = {"name": f"P{printer} {number}"}
        work = self.farm.rooms.printers.update(ADMIN, printer, values)
        return await self._ask("rename", printer, work)
