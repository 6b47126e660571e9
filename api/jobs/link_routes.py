"""v1 route that gives a print which a printer ran by itself to a job (v1 contract, 2.4)."""

from quart import Response

from api.describe import Doc, Query
from api.errors import Invalid
from api.http import RowId, id_query, json_answer
from api.jobs.answers import JobAnswer
from api.jobs.seen import SeenPrints
from api.jobs.service import Jobs
from api.jobs.show import Shown
from api.v1 import V1, caller


class LinkRoutes:
    """``/jobs/{id}/link-print``."""

    def __init__(self, jobs: Jobs, seen: SeenPrints, shown: Shown) -> None:
        self._jobs = jobs
        self._seen = seen
        self._shown = shown

    def register(self, v1: V1) -> None:
        """Declare the route."""
        v1.add("POST", "/jobs/<int:job_id>/link-print", self.link, _LINK)

    async def link(self, job_id: int) -> Response:
        """It was this job that was printed."""
        by = caller()
        by.require("jobs.write")
        job = await self._jobs.get(by, job_id)  # 404 comes before 422
        print_id = id_query("print_job_id")
        if print_id is None:
            raise Invalid(
                "print_job_id: name the print in the query (GET /print-jobs/unlinked)",
                code="validation_failed",
                field="print_job_id",
            )
        job = await self._seen.link(by, job, print_id)
        return json_answer(await self._shown.one(job))


_LINK = Doc(
    summary="A print that a printer ran from its own card was a print of this waiting job",
    description="The job takes the steps that it would have taken: it is completed, failed or "
    "cancelled as the print was, and waits on when it asks for more prints.",
    answer=JobAnswer,
    right="jobs.write",
    query=(
        Query(
            name="print_job_id",
            type=RowId,
            required=True,
            description="Its number in /print-jobs/unlinked",
        ),
    ),
    problems=("not_found", "conflict", "invalid_state_transition", "validation_failed"),
    dry_run=True,
)
