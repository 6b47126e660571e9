"""Scripts, pauses, resumes and ends whose host dies: each line once; what was wished is done."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from bridge.gcode.happenings import AttemptMoved, Warned
from bridge.simulator.faults import Faults
from schemas.jobs import AttemptState
from tests.bridge.sender.test_comeback import write_print
from tests.fakes.hosts import CONFIG, Bench
from tests.fakes.owner import commands_of
from tests.fakes.wishes import HOLD, People, Wish, brought_back

_A = AttemptState
#: No line of them is one of the file, and a part of one is not the whole.
SCRIPTS = {
    "before_print": "G91\nG1 Z7 F601\nG1 Z-7 F601\nG90\nM300 S1",
    "after_print": "G91\nG1 Z6 F602\nG90\nM300 S2\nM84",
    "on_pause": "G91\nG1 Z5 F603\nM220 S50\nG1 E-2 F603\nG90\nM300 S3",
    "on_resume": "G91\nG1 E2 F604\nG90\nM300 S4",
    "on_cancel": "G91\nG1 Z4 F605\nG90\nM104 S0\nM140 S0\nM300 S5",
}


#: Where there is no script for a cancelled print.
DEFAULT = [b"M104 S0", b"M140 S0", b"M107", b"M84"]


class Play:
    """A print with wishes and kills that *seed* chooses; *asks*: its file changes filament."""

    def __init__(
        self, seed: int, file: Path, faults: Faults | None = None, *, asks: bool = False
    ) -> None:
        chosen = {name: text for at, (name, text) in enumerate(SCRIPTS.items()) if seed >> at & 1}
        chosen = dict(SCRIPTS) if seed % 3 == 0 else chosen
        self.config = msgspec.structs.replace(
            CONFIG, scripts=chosen, resume_lift_s=6000.0, resume_limit_s=6000.0
        )
        speed = (0.0, 100.0)[seed % 2]
        self.bench = Bench(seed, file, speed=speed, config=self.config, faults=faults)
        self.bench.eager = True
        self.random, self.asks, self.seed = self.bench.random, asks, seed
        self.commands = commands_of(file)
        self.resumes = 1 if asks else seed % 3
        self.cancels = self.random.random() < 0.5
        self.kills = 0
        lines = 0
        wishes = [Wish("press")] if asks and not self.cancels else []
        for _ in range(0 if asks else self.resumes):
            lines += self.random.randrange(1, 25)
            wishes += [Wish("pause", lines), Wish("resume")]
        self.stands = self.cancels and self.random.random() < 0.5 and not asks and bool(wishes)
        if self.stands:  # it is cancelled while it stands
            wishes.pop()
            self.resumes -= 1
        if self.cancels:
            lines = 0 if self.stands else max(lines + self.random.randrange(25), 6)
            if asks:  # while the printer waits for a person, who never comes
                lines = len(self.script("before_print")) + self.commands.index(b"M600") + 1
            wishes.append(Wish("cancel", lines))
        self.people = People(self.bench, wishes)
        self.people.slow = self.random.choice((0, 40, 400))

    def run(self, kills: int) -> None:
        """Until the attempt is over; *kills* at most, most of them soon behind a wish."""
        bench = self.bench
        bench.start()
        for _ in range(kills):
            if self.random.random() < 0.7:
                self.until_a_wish()
            within = self.random.choice((3, 12, 40, 200))
            if bench.over() or not bench.kill_after(self.random.randrange(1, within + 1)):
                break
            self.kills += 1
            bench.come_back(self.random.choice((0.0, 0.02, 1.5, 20.0)))
        bench.run_until(bench.over)
        bench.run_until(lambda: not bench.up)

    def until_a_wish(self) -> None:
        """Go on until somebody wishes the next thing, or has what he wished."""
        bench, people = self.bench, self.people
        before = len(people.wishes), people.answered
        bench.run_until(
            lambda: bench.over() or (len(people.wishes), people.answered) != before or not before[0]
        )

    def is_told(self) -> bool:
        """Whether a person knows that something is amiss.

        The last script was cut off, or a line that lost its number, or its beginning, ran as a
        command of its own: no count shows that.
        """
        told = [one.reason for one in self.bench.happened if isinstance(one, AttemptMoved)]
        told += [one.text for one in self.bench.happened if isinstance(one, Warned)]
        strays = any(line.startswith((b"\tG", b"\tT")) for line in self.bench.executed)
        return strays or any("Unknown" in one or "be finished" in one for one in told)

    def script(self, name: str) -> list[bytes]:
        """The lines of a script."""
        return [line.encode() for line in self.config.scripts.get(name, "").splitlines()]

    @property
    def wished(self) -> AttemptState:
        """How it has to end."""
        return _A.CANCELLED if self.cancels else _A.COMPLETED

    def expected(self, printed: list[bytes]) -> list[bytes]:
        """What a print that was never killed executes; *printed* says only where it paused."""
        pause, resume = self.script("on_pause"), self.script("on_resume")
        lines, done = self.script("before_print"), 0
        holds = [at for at, line in enumerate(printed) if line == HOLD]
        assert len(holds) == self.resumes + self.stands or self.asks
        for count, at in enumerate(holds):
            more = at - len(lines)
            lines += self.commands[done : done + more]
            done += more
            lines += [HOLD] if self.asks else [HOLD, *pause]
            if count < self.resumes:
                lines += resume
                moved = (pause or resume) and not self.asks
                lines += brought_back(self.commands, done) if moved else []
                lines += [b"M220 S100"] if pause and not self.asks else []
        if self.cancels:
            cancel = self.script("on_cancel") or DEFAULT
            more = len(printed) - len(lines) - len(cancel)
            return [*lines, *self.commands[done : done + more], *cancel]
        return [*lines, *self.commands[done:], *self.script("after_print")]


@pytest.fixture(scope="session")
def short_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A print of a few layers."""
    return write_print(tmp_path_factory.mktemp("errands") / "short.gcode", 60)


@pytest.fixture(scope="session")
def asking_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, which asks for other filament in the middle."""
    file = write_print(tmp_path_factory.mktemp("errands") / "asks.gcode", 60)
    lines = file.read_text("ascii").split("\n")
    file.write_text("\n".join([*lines[:30], "M600", *lines[30:]]), "ascii")
    return file


def check(seed: int, file: Path, *, asks: bool = False) -> int:
    """Hold one seed's print against one that was never killed; how often it was."""
    play = Play(seed, file, asks=asks)
    play.run(kills=1 + seed % 4)
    printed = play.bench.printed
    assert (seed, play.bench.ending) == (seed, play.wished)
    assert printed == play.expected(printed), f"seed {seed}"
    return play.kills


@pytest.mark.parametrize("seed", range(24))
def test_a_print_that_is_paused_resumed_and_ended_goes_on_in_any_state(
    seed: int, short_file: Path
) -> None:
    """Every line of the file and of every script once, in order; what was wished is done."""
    check(seed, short_file)


@pytest.mark.parametrize("seed", range(12))
def test_a_filament_change_outlives_its_host(seed: int, asking_file: Path) -> None:
    """Killed while the printer waits for a person, it goes on or ends as he wished."""
    check(seed, asking_file, asks=True)


@pytest.mark.seeded
@pytest.mark.parametrize("block", range(4))
def test_hundreds_of_kills_in_every_state_change_nothing(block: int, short_file: Path) -> None:
    """Random kill points around random wishes: what was executed is what would have been."""
    seeds = range(10_000 * (block + 1), 10_000 * (block + 1) + 150)
    assert sum(check(seed, short_file) for seed in seeds) > 200


@pytest.mark.seeded
def test_hundreds_of_kills_in_filament_changes_change_nothing(asking_file: Path) -> None:
    """The same while the printer waits for a person, or somebody cancels that."""
    assert sum(check(seed, asking_file, asks=True) for seed in range(1000, 1150)) > 200


@pytest.mark.seeded
def test_kills_and_wishes_on_a_bad_cable_end_exactly_or_honestly(short_file: Path) -> None:
    """Flips and losses both ways: as wished and exact, or interrupted and told."""
    assert sum(check_noisy(seed, short_file) for seed in range(150)) > 100


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_kills_around_many_wishes(
    short_file: Path, asking_file: Path, seeds: Sequence[int]
) -> None:
    """Many prints, killed around everything that is wished."""
    kills = sum(check(seed, short_file) + check(seed, asking_file, asks=True) for seed in seeds)
    assert kills >= len(seeds)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_kills_around_many_wishes_on_bad_cables(short_file: Path, seeds: Sequence[int]) -> None:
    """The same behind cables that flip and lose: exact, or an honest failure."""
    assert sum(check_noisy(seed, short_file) for seed in seeds) >= len(seeds) // 2


def check_noisy(seed: int, file: Path) -> bool:
    """Hold one seed's print over a bad cable against one without; whether it ended as wished."""
    play = Play(seed, file, Faults(flip=0.0002, lose=0.0001, seed=seed))
    play.run(kills=1 + seed % 4)
    if play.bench.ending in (_A.INTERRUPTED, _A.FAILED):
        return False
    assert (seed, play.bench.ending) == (seed, play.wished)
    if play.is_told():
        return False
    # a merged line may pass its checksum: what is executed of it ends at the first star
    printed = [line.partition(b"*")[0] for line in play.bench.printed]
    # where noise has eaten a target from the last report, a resume sets it once more
    printed = [line for line in printed if not line.startswith((b"M104 T", b"M109 T"))]
    expected = play.expected(printed)
    wrong = [pair for pair in zip(printed, expected, strict=True) if pair[0] != pair[1]]
    assert len(wrong) <= 1, f"seed {seed}: {wrong[:3]}"
    return True
