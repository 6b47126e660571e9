"""What goes wrong: a seeded choice of faults, each with its beginning and its end."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from tests.simulation.farm import Farm
from tests.simulation.history import History
from tests.simulation.machines import Machines
from tests.simulation.network import Weather
from tests.simulation.room import Room

Fault = Callable[[], Coroutine[Any, Any, None]]


class Faults:
    """The faults of one seed. `heal()` ends all that go on."""

    def __init__(
        self, farm: Farm, room: Room, machines: Machines, history: History, seed: str
    ) -> None:
        self.farm, self.room, self.history = farm, room, history
        self.machines = machines.machines
        self.weather: Weather = farm.weather
        self.rng = random.Random(f"{seed} faults")
        self.kinds: list[Fault] = [
            self.cut,
            self.cut,
            self.half_open,
            self.partition,
            self.long_partition,
            self.slow_line,
            self.frames_twice,
            self.kill_api,
            self.kill_api_at_a_step,
            self.kill_agent,
            self.kill_agent_at_a_step,
            self.kill_agent_at_a_step,
            self.kill_sender,
            self.hang_up_on_sender,
            self.freeze_sender,
            self.power_cut,
            self.room_disk_fails,
            self.farm_disk_fails,
            self.api_wall_jumps,
            self.room_wall_jumps,
            self.files_fail,
        ]

    def only(self, names: tuple[str, ...]) -> None:
        """Let nothing else go wrong than these."""
        self.kinds = [kind for kind in self.kinds if kind.__name__ in names]

    async def happen(self, count: int, pause_s: float) -> None:
        """*count* faults; one may begin while another goes on."""
        under_way = []
        for _ in range(count):
            await asyncio.sleep(self.rng.uniform(0.0, pause_s))
            fault = self.rng.choice(self.kinds)
            self.history.add("fault", fault.__name__)
            under_way.append(asyncio.create_task(fault()))
        await asyncio.gather(*under_way)

    def heal(self) -> None:
        """Everything works from now on; what is dead is started again by its supervisor."""
        self.history.add("fault", "heal")
        self.weather.down, self.weather.delay_s, self.weather.twice = False, 0.0, 0.0
        for machine in self.machines.values():
            machine.thaws_at = 0.0
        self.room.disk.failing = self.farm.rows.failing = self.room.fetch_fails = 0.0
        for life in (self.farm.life, self.room.life):
            if life is not None:
                life.crash_in = None

    # The line.

    async def cut(self) -> None:
        for wire in self.farm.wires:
            wire.cut()

    async def half_open(self) -> None:
        """One or both directions swallow everything; only silence tells."""
        up, down = self.rng.choice(((True, False), (False, True), (True, True)))
        for wire in self.farm.wires:
            wire.up.lossy |= up
            wire.down.lossy |= down

    async def partition(self) -> None:
        self.weather.down = True
        for wire in self.farm.wires:
            wire.up.lossy = wire.down.lossy = True
        await asyncio.sleep(self.rng.choice((1.0, 10.0, 60.0)))
        self.weather.down = False

    async def long_partition(self) -> None:
        """So long that the room goes on alone, sometimes with the API gone besides."""
        self.weather.down = True
        for wire in self.farm.wires:
            wire.cut()
        await asyncio.sleep(self.rng.choice((60.0, 120.0, 240.0)))
        self.weather.down = False

    async def slow_line(self) -> None:
        self.weather.delay_s = self.rng.choice((0.5, 3.0, 15.0))
        await asyncio.sleep(self.rng.uniform(2.0, 20.0))
        self.weather.delay_s = 0.0

    async def frames_twice(self) -> None:
        self.weather.twice = self.rng.choice((0.2, 0.8))
        await asyncio.sleep(self.rng.uniform(5.0, 30.0))
        self.weather.twice = 0.0

    # Processes.

    async def kill_api(self) -> None:
        if self.farm.life is not None:
            self.farm.life.kill()

    async def kill_api_at_a_step(self) -> None:
        if self.farm.life is not None:
            self.farm.life.crash_in = self.rng.randrange(1, 60)

    async def kill_agent(self) -> None:
        if self.room.life is not None:
            self.room.life.kill()

    async def kill_agent_at_a_step(self) -> None:
        if self.room.life is not None:
            self.room.life.crash_in = self.rng.randrange(1, 40)

    async def kill_sender(self) -> None:
        self.rng.choice(list(self.machines.values())).die()

    async def hang_up_on_sender(self) -> None:
        machine = self.rng.choice(list(self.machines.values()))
        if machine.owner is not None:
            machine.owner.end("its socket broke")
            machine.owner = None

    async def freeze_sender(self) -> None:
        """SIGSTOP, and SIGCONT: what it was told meanwhile waits in its socket."""
        machine = self.rng.choice(list(self.machines.values()))
        now = asyncio.get_running_loop().time()
        machine.thaws_at = now + self.rng.choice((2.0, 20.0, 100.0))

    async def power_cut(self) -> None:
        self.room.power_cut()

    # Disks, clocks, files.

    async def room_disk_fails(self) -> None:
        self.room.disk.failing = self.rng.choice((0.1, 0.5, 1.0))
        await asyncio.sleep(self.rng.uniform(1.0, 10.0))
        self.room.disk.failing = 0.0

    async def farm_disk_fails(self) -> None:
        self.farm.rows.failing = self.rng.choice((0.02, 0.2, 1.0))
        await asyncio.sleep(self.rng.uniform(1.0, 8.0))
        self.farm.rows.failing = 0.0

    async def api_wall_jumps(self) -> None:
        self.farm.clock.jumped_s += self.rng.choice((-3600.0, 3600.0, -86_400.0, 86_400.0))

    async def room_wall_jumps(self) -> None:
        days = self.rng.choice((-1.0, 1.0, -30.0, 8.0, 100.0))
        self.room.wall_offset_s += days * 86_400.0

    async def files_fail(self) -> None:
        self.room.fetch_fails = 0.7
        await asyncio.sleep(self.rng.uniform(5.0, 20.0))
        self.room.fetch_fails = 0.0
