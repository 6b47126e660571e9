"""A claim at the machine: in the journal before it is answered, refused with a reason."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from bridge.agent import plates
from bridge.agent.plates import DIRECTORY, PlateDesk, PlateRefused, ask


async def asked(desk: PlateDesk, directory: Path, printer: int) -> None:
    """The command and the agent at the same time."""
    command = asyncio.create_task(asyncio.to_thread(ask, directory, printer))
    while not command.done():
        await desk.step()
        await asyncio.sleep(0.01)
    await command


async def test_claim_is_answered_after_it_is_kept(tmp_path: Path) -> None:
    """safety M15: one request, one claim, and nothing lies around afterwards."""
    claims: list[int] = []

    async def claim(printer: int) -> None:
        assert not list((tmp_path / DIRECTORY).glob("*.answer"))
        claims.append(printer)

    await asked(PlateDesk(tmp_path, lambda printer: None, claim), tmp_path, 7)
    assert claims == [7]
    assert list((tmp_path / DIRECTORY).iterdir()) == []


async def test_claim_for_a_printer_that_prints_is_refused(tmp_path: Path) -> None:
    """safety M16: pressed before the job ended: no claim, and why."""
    claims: list[int] = []

    async def claim(printer: int) -> None:
        claims.append(printer)

    desk = PlateDesk(tmp_path, lambda printer: f"printer {printer} prints", claim)
    with pytest.raises(PlateRefused, match="printer 7 prints"):
        await asked(desk, tmp_path, 7)
    assert claims == []


async def test_journal_that_refuses_keeps_the_request(tmp_path: Path) -> None:
    """A full disk: the request waits for the next look."""

    async def claim(printer: int) -> None:
        raise OSError("full")

    desk = PlateDesk(tmp_path, lambda printer: None, claim)
    request = tmp_path / DIRECTORY / "7.clear"
    request.touch()
    with pytest.raises(OSError, match="full"):
        await desk.step()
    assert request.exists()


def test_nobody_there_means_nothing_was_claimed(tmp_path: Path) -> None:
    """The command gives up and takes its request back."""
    (tmp_path / DIRECTORY).mkdir()
    with pytest.raises(PlateRefused, match="say it again"):
        ask(tmp_path, 7, timeout_s=0.05)
    assert list((tmp_path / DIRECTORY).iterdir()) == []


def test_a_person_who_gives_up_leaves_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the agent hangs: it would have found the claim when it went on."""

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    (tmp_path / DIRECTORY).mkdir()
    monkeypatch.setattr(time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(tmp_path, 7)
    assert list((tmp_path / DIRECTORY).iterdir()) == []


async def test_a_request_of_another_time_is_no_claim(tmp_path: Path) -> None:
    """Whoever asked was killed, and the agent comes hours later: who knows what lies there now."""
    claims: list[int] = []

    async def claim(printer: int) -> None:
        claims.append(printer)

    desk = PlateDesk(tmp_path, lambda printer: None, claim)
    request = tmp_path / DIRECTORY / "7.clear"
    request.touch()
    hour_ago = time.time() - 3600
    os.utime(request, (hour_ago, hour_ago))
    await desk.step()
    assert (claims, list((tmp_path / DIRECTORY).iterdir())) == ([], [])


async def test_a_claim_that_is_kept_is_answered_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal had room and the answer has none: it was claimed again every second."""
    claims: list[int] = []

    async def claim(printer: int) -> None:
        claims.append(printer)

    def full(path: Path, data: bytes) -> None:
        raise OSError("full")

    monkeypatch.setattr(plates, "write_private", full)
    desk = PlateDesk(tmp_path, lambda printer: None, claim)
    await asked(desk, tmp_path, 7)
    await desk.step()
    assert claims == [7]
