"""How steadily the lines of a print came, on its job."""

from api.jobs.models import Attempt
from api.jobs.view import Around, job_fields
from schemas.facts import AttemptFact
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import Quality
from tests.fakes.farm import BRIDGE, BridgeId, Farm


async def test_the_quality_of_a_stream_is_kept_with_its_attempt(farm: Farm) -> None:
    """The bridge's newest word is shown with the job, null before the first."""
    printer = await farm.printer()
    job = await farm.job(printer)
    attempt = await farm.jobs.start_explicit(farm.admin, job, printer.id)
    quality = Quality(
        score=87,
        starved_s=1.5,
        gaps=3,
        resends=2,
        latency_p50_ms=2.0,
        latency_p99_ms=9.5,
        worst_gap_ms=700.0,
        worst_line=4711,
        worst_layer=12,
    )
    fact = AttemptFact(
        printer=printer.id,
        grant=attempt.grant,
        event=AttemptEvent.STARTED,
        state=AttemptState.STARTED,
        quality=quality,
    )
    around = Around(attempt=await Attempt.get(grant=attempt.grant), now=farm.clock.now())
    assert job_fields(job, around, None)["stream_quality"] is None
    async with farm.ledger.change() as change:
        await farm.jobs.record_attempt(change, BridgeId(BRIDGE), fact)
    around = Around(attempt=await Attempt.get(grant=attempt.grant), now=farm.clock.now())
    shown = job_fields(await farm.job_now(job), around, None)["stream_quality"]
    assert (shown["score"], shown["worst_layer"], shown["resends"]) == (87, 12, 2)
