"""Pictures: the newest, in few frames, and only when something moved."""

import msgspec

from bridge.agent.live import FULL_S, LiveSlots, moved
from schemas.codec import MAX_FRAME_BYTES, encode, encoded_size
from schemas.link import Frame
from schemas.printer import Doing, DoingKind, Live, PrinterState, Progress, Prompt, Temperature
from schemas.session import BEAT_S
from schemas.watching import Interest, InterestLevel

IDLE = Live(printer=1, state=PrinterState.OPERATIONAL, temps={"tool0": Temperature(25.0, 0.0)})


def hot(degrees: float, printer: int = 1) -> Live:
    temps = {"tool0": Temperature(degrees, 0.0)}
    return msgspec.structs.replace(IDLE, printer=printer, temps=temps)


def numbers(slots: LiveSlots, now: float) -> list[int]:
    snap = slots.take(now)
    return [live.printer for live in snap.printers] if snap else []


def test_new_link_gets_every_printer_at_once() -> None:
    """The first frame after the welcome is the whole room."""
    slots = LiveSlots()
    for number in (2, 1):
        slots.put(hot(20, number))
    slots.greeted(1.0, 0.0)
    assert slots.deadline() == 0.0
    assert numbers(slots, 0.0) == [1, 2]
    assert slots.take(0.0) is None
    assert slots.deadline() == 1.0


def test_only_the_newest_picture_leaves() -> None:
    """One slot per printer: what was not sent is replaced."""
    slots = LiveSlots()
    slots.greeted(1.0, 0.0)
    slots.put(hot(20))
    slots.put(hot(30))
    snap = slots.take(0.0)
    assert snap is not None and snap.printers == [hot(30)]


def test_change_of_state_leaves_at_once() -> None:
    """Temperatures wait for the interval, states and targets do not."""
    slots = LiveSlots()
    slots.put(IDLE)
    slots.greeted(1.0, 0.0)
    slots.take(0.0)
    assert not slots.put(hot(90))
    assert slots.take(0.5) is None
    assert slots.put(msgspec.structs.replace(IDLE, state=PrinterState.PRINTING, grant="g"))
    assert numbers(slots, 0.5) == [1]
    assert slots.printing() == 1
    heating = {"tool0": Temperature(20.0, 200.0)}
    assert slots.put(msgspec.structs.replace(IDLE, state=PrinterState.PRINTING, temps=heating))


def test_what_hardly_moved_does_not_leave() -> None:
    """Dead-bands: 0.3 °C, 0.1 %; a target counts always."""
    progress = Progress(file_bytes=1000, size_bytes=100_000, lines=1, print_time_s=1.0)
    printing = msgspec.structs.replace(IDLE, progress=progress)
    assert not moved(IDLE, hot(25.2))
    assert moved(IDLE, hot(25.3))
    assert moved(IDLE, msgspec.structs.replace(IDLE, temps={"tool0": Temperature(25.0, 1.0)}))
    assert moved(IDLE, msgspec.structs.replace(IDLE, temps={}))
    assert moved(IDLE, printing)
    for name, value, expected in (
        ("file_bytes", 1050, False),
        ("file_bytes", 1101, True),
        ("print_time_s", 7.0, True),
        ("layer", 3, True),
    ):
        later = msgspec.structs.replace(progress, **{name: value})
        assert moved(printing, msgspec.structs.replace(IDLE, progress=later)) is expected


def test_everything_is_sent_again_against_drift() -> None:
    """Every five minutes, changed or not."""
    slots = LiveSlots()
    slots.put(IDLE)
    slots.greeted(1.0, 0.0)
    slots.take(0.0)
    assert slots.take(FULL_S - 1) is None
    assert numbers(slots, FULL_S + 1) == [1]


def test_large_room_comes_in_frames_that_fit() -> None:
    """Few frames, each below the limit, every printer once."""
    slots = LiveSlots()
    for number in range(300):
        slots.put(hot(20, number))
    slots.greeted(1.0, 0.0)
    frames = []
    while (snap := slots.take(0.0)) is not None:
        frames.append(snap)
    assert max(encoded_size(frame) for frame in frames) < MAX_FRAME_BYTES - 200
    assert [live.printer for frame in frames for live in frame.printers] == list(range(300))
    assert len(frames) <= 3


def test_printer_that_left_is_forgotten() -> None:
    """No frame names it again."""
    slots = LiveSlots()
    slots.put(IDLE)
    slots.forget(1)
    slots.greeted(1.0, 0.0)
    assert slots.take(0.0) is None


def test_what_a_person_must_know_leaves() -> None:
    """A question at once; fan, reach of a stop, lost place, stale heat and what it does with the
    interval."""
    slots = LiveSlots()
    slots.put(IDLE)
    slots.greeted(1.0, 0.0)
    slots.take(0.0)
    assert slots.put(msgspec.structs.replace(IDLE, prompt=Prompt("Go on?", ["Yes"])))
    for change in (
        {"fan_percent": 30},
        {"stop_reach": "in_turn"},
        {"position_known": False},
        {"temps_stale": True},
        {"feedrate_mm_s": 60.0},
        {"doings": (Doing(1, DoingKind.HOME),)},
    ):
        assert moved(IDLE, msgspec.structs.replace(IDLE, **change)), change


def test_a_lease_that_only_runs_down_is_told_now_and_then() -> None:
    """Its beginning, end and renewal count; a second less does not."""

    def lease(left_s: float | None) -> Live:
        return msgspec.structs.replace(IDLE, heat_lease_s=left_s)

    assert not moved(lease(900.0), lease(899.0))
    assert moved(lease(900.0), lease(885.0))
    assert moved(lease(500.0), lease(900.0))
    assert moved(lease(None), lease(900.0))
    assert moved(lease(3.0), lease(None))


def test_room_that_nobody_watches_is_quiet() -> None:
    """Link, "Live": a snapshot per 30 s, and a change of state at once; a look makes it quick."""
    slots = LiveSlots()
    slots.put(hot(20))
    slots.greeted(1.0, 0.0, idle_s=30.0)
    assert numbers(slots, 0.0) == [1]
    assert not slots.put(hot(40))
    assert slots.take(29.9) is None
    assert slots.deadline() == 30.0
    assert numbers(slots, 30.0) == [1]
    slots.put(hot(60))
    slots.interest(Interest(level=InterestLevel.DETAIL, lease_s=60.0), 31.0)
    assert slots.deadline() == 31.0
    assert numbers(slots, 31.0) == [1]
    slots.put(hot(80))
    slots.interest(Interest(level=InterestLevel.LIST, lease_s=60.0), 31.0)
    assert slots.take(32.5) is None
    assert numbers(slots, 33.0) == [1]
    slots.put(hot(100))
    assert slots.deadline() == 35.0
    assert slots.take(91.5) is not None, "the lease has ended long after the idle time"
    slots.put(hot(120))
    assert slots.take(100.0) is None
    slots.put(msgspec.structs.replace(IDLE, state=PrinterState.PRINTING, grant="g"))
    assert numbers(slots, 100.5) == [1]


def test_idle_room_says_at_most_a_frame_in_thirty_seconds() -> None:
    """The number "idle room <= 0.2 messages/s": pictures and beats of ten minutes, counted."""
    slots = LiveSlots()
    slots.greeted(1.0, 0.0, idle_s=30.0)
    frames = 0
    for second in range(600):
        slots.put(hot(20 + second % 7))
        frames += slots.take(float(second)) is not None
    beats = 600 / BEAT_S
    assert (frames + beats) / 600 <= 0.2


def test_a_picture_that_fits_no_frame_goes_without_its_words() -> None:
    """An older sender bounds none of them; the frame would end the link of the whole room."""
    words = Prompt("?", ["\x01" * 4000] * 16)
    temps = {f"tool{tool}": Temperature(20.0, 0.0) for tool in range(4000)}
    loud = msgspec.structs.replace(IDLE, prompt=words, error="\x02" * 9000, temps=temps)
    slots = LiveSlots()
    slots.put(loud)
    slots.put(hot(25, 2))
    slots.greeted(1.0, 0.0)
    snap = slots.take(0.0)
    assert snap is not None
    assert len(encode(Frame(body=snap))) < MAX_FRAME_BYTES
    assert [(live.printer, live.state) for live in snap.printers] == [
        (1, PrinterState.OPERATIONAL),
        (2, PrinterState.OPERATIONAL),
    ]
    assert "tool0" in snap.printers[0].temps
    assert slots.take(0.5) is None, "it is told, and not again and again"
