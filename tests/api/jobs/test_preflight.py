"""What a dispatch decides by: the file's survey, held against the printer, kept with the start."""

import pytest

from api.errors import Invalid
from api.jobs.models import Attempt
from schemas.gcode.survey import Surveyor
from tests.fakes.farm import Farm

ODD = b"G28\nM109 S215\nG1 X1 E1\nM155 S2\n"
WIDE = b"G28\nM109 S215\nG1 X400 E1\n"


def surveyed(farm: Farm, blob_id: int, text: bytes) -> None:
    surveyor = Surveyor()
    surveyor.feed(text)
    farm.files.surveys[blob_id] = surveyor.finish()


async def test_the_verdict_is_kept_with_the_start(farm: Farm) -> None:
    """Warnings and fixes that do not block: it starts, and why is written in the same moment."""
    printer = await farm.printer()
    blob = await farm.blob(filament_types=["PC"])
    surveyed(farm, blob.id, ODD)
    job = await farm.job(printer, blob_id=blob.id)
    attempt = await farm.jobs.start_explicit(farm.admin, job)
    kept = (await Attempt.get(grant=attempt.grant)).preflight
    assert (kept["status"], kept["material"]) == ("warnings", "PC")
    assert {each["id"] for each in kept["findings"]} == {"left_out:M155", "material:nozzle"}
    assert not any(each["blocks"] for each in kept["findings"])


async def test_what_blocks_starts_nothing(farm: Farm) -> None:
    """A file that was found out after its job was made: refused with line and rule, nothing else
    has changed (M19).
    """
    printer = await farm.printer()
    blob = await farm.blob()
    job = await farm.job(printer, blob_id=blob.id)
    surveyed(farm, blob.id, WIDE)
    with pytest.raises(Invalid, match="line 3: it moves to X 400 mm") as refused:
        await farm.jobs.start_explicit(farm.admin, job)
    assert refused.value.code == "limit_exceeded"
    assert refused.value.extra["rule"] == "outside"
    assert await Attempt.all().count() == 0
    assert (await farm.row(printer)).active_grant is None
    assert (await farm.job_now(job)).state == "pending"


async def test_a_file_that_nobody_has_looked_at_is_said_to_be_unchecked(farm: Farm) -> None:
    """The gate at the port looks at every byte of it then."""
    printer = await farm.printer()
    attempt = await farm.jobs.start_explicit(farm.admin, await farm.job(printer))
    kept = (await Attempt.get(grant=attempt.grant)).preflight
    assert (kept["status"], kept["findings"]) == ("unchecked", [])
