"""Upload and print: every slicer at each address that a farm offers it (octoprint 6, DESIGN 5)."""

from typing import Any

import httpx
import pytest

from api.jobs.models import Job
from schemas.jobs import JobState
from schemas.printer import PrinterState
from tests.api.octoprint.conftest import Farm
from tests.api.octoprint.test_pools import pool_of
from tests.fakes.slicers import SLICERS, Slicer, form, printing

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def sent(farm: Farm, slicer: Slicer, root: str) -> httpx.Response:
    """The request of *slicer*, word for word; at each address its file bears another name."""
    lines = [line.format(key=farm.key).partition(": ") for line in slicer.lines]
    headers = [(name, value) for name, _, value in lines]
    quote = '"' if slicer.is_boundary_quoted else ""
    media = f"multipart/form-data; boundary={quote}{slicer.boundary}{quote}"
    name = slicer.filename.rpartition("/")[2].rpartition(".")[0]
    other = name_at(root, slicer).rpartition("/")[2].rpartition(".")[0]
    body = form(printing(slicer)).replace(f'="{name}.'.encode(), f'="{other}.'.encode())
    return await farm.http.post(
        f"{root}/api/files/local", content=body, headers=[*headers, ("Content-Type", media)]
    )


def name_at(root: str, slicer: Slicer) -> str:
    """The name under which its file is sent to *root*: a file that is printed is not replaced."""
    folder, slash, name = slicer.filename.rpartition("/")
    return folder + slash + root.rpartition("/")[2] + name


def told(answer: httpx.Response) -> tuple[Any, ...]:
    """What a slicer takes from the answer."""
    body = answer.json()
    return answer.status_code, body.get("done"), body.get("effectivePrint"), body.get("error")


@pytest.mark.parametrize("slicer", SLICERS, ids=lambda slicer: slicer.name)
async def test_it_prints_here_and_waits_there(farm: Farm, slicer: Slicer) -> None:
    """At the server's root and at a printer it prints; behind a print and at a pool it waits."""
    pool = await pool_of(farm, 1, 2)
    for number, (root, starts) in enumerate(
        (("", True), ("/octoprint/alpha", False), ("/octoprint/beta", True), (pool, False)), 1
    ):
        answer = await sent(farm, slicer, root)
        assert told(answer) == (201, True, starts, None), (root, answer.text)
        local = answer.json()["files"]["local"]
        assert local["path"] == name_at(root, slicer)
        assert answer.headers["location"] == local["refs"]["resource"]
        assert f"{root}/api/files/local/" in local["refs"]["resource"]
        assert await Job.all().count() == number
        job = await Job.all().order_by("-id").first()
        assert job is not None
        assert (job.file_path, job.pool_id is not None) == (name_at(root, slicer), root == pool)
        assert (JobState(job.state) is JobState.PENDING) is not starts


async def test_whoever_prints_to_a_printer_that_is_away_keeps_the_file(farm: Farm) -> None:
    """octoprint 6: 201, no job, and the file is there when the printer is."""
    farm.machine.state = PrinterState.OFFLINE
    await farm.room.report(farm.machine)
    answer = await sent(farm, SLICERS[0], "/octoprint/alpha")
    assert told(answer) == (201, True, False, None)
    assert not await Job.exists()


@pytest.mark.parametrize("slicer", SLICERS, ids=lambda slicer: slicer.name)
async def test_whoever_sends_the_file_that_is_printed_reads_what_to_do(
    farm: Farm, slicer: Slicer
) -> None:
    """The slicer shows the answer's text."""
    assert told(await sent(farm, slicer, "")) == (201, True, True, None)
    answer = await sent(farm, slicer, "")
    assert answer.status_code == 409
    assert "Wait until that is over, or use another name." in answer.json()["error"]
