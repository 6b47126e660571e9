"""v1 routes of timelapses (v1 contract, 2.10): parse, ask the service, answer."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from quart import Response

from api.describe import Answer, Doc, Instant, Query
from api.http import Body, RowId, id_query, json_body, page_of
from api.timelapses.service import Timelapses
from api.v1 import V1, caller

MAX_SECONDS = 86_400
MAX_STATUS = 32
SPEEDS = (0.5, 1.0, 1.5, 2.0, 4.0, 8.0)


class TrimBody(Body):
    """``POST /timelapses/{id}/trim``: which part to keep."""

    start_seconds: float = Field(0.0, ge=0, le=MAX_SECONDS)
    end_seconds: float = Field(gt=0, le=MAX_SECONDS)

    @model_validator(mode="after")
    def _some_of_it(self) -> "TrimBody":
        if self.end_seconds <= self.start_seconds:
            raise ValueError("end_seconds is to come after start_seconds")
        return self


def _offered(multiplier: float) -> float:
    if multiplier not in SPEEDS:
        raise ValueError(f"one of {', '.join(f'{each:g}' for each in SPEEDS)}")
    return multiplier


class SpeedBody(Body):
    """``POST /timelapses/{id}/speed``: a copy that is so much faster."""

    multiplier: Annotated[float, Field(ge=SPEEDS[0], le=SPEEDS[-1]), AfterValidator(_offered)] = (
        Field(description="0.5, 1, 1.5, 2, 4 or 8")
    )


class TimelapseAnswer(Answer):
    """A recording of a print."""

    id: int
    printer_id: int
    printer_name: str | None
    print_job_id: int | None
    filename: str
    frame_count: int
    duration_seconds: float | None
    file_size_mb: float | None
    status: str
    created_at: Instant
    completed_at: Instant | None


class TimelapseRoutes:
    """``/timelapses``."""

    def __init__(self, timelapses: Timelapses) -> None:
        self._timelapses = timelapses

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/timelapses/<int:timelapse_id>"
        v1.add("GET", "/timelapses", self.list, _LIST)
        v1.add("GET", one, self.get, _GET)
        v1.add("DELETE", one, self.delete, _DELETE)
        for name, doc in _VIDEOS.items():
            v1.add("GET", f"{one}/{name}", self.get, doc)
        v1.add("POST", f"{one}/trim", self.trim, _TRIM)
        v1.add("POST", f"{one}/speed", self.speed, _SPEED)

    async def list(self) -> Response:
        """Of a printer, in a state; none."""
        id_query("printer_id")
        return page_of(self._timelapses.list(caller()))

    async def get(self, timelapse_id: int) -> Response:
        """One of them, or its video."""
        self._timelapses.get(caller(), timelapse_id)

    async def delete(self, timelapse_id: int) -> Response:
        """Gone."""
        self._timelapses.get(caller(), timelapse_id, "timelapses.admin")

    async def trim(self, timelapse_id: int) -> Response:
        """A part of it."""
        await json_body(TrimBody)
        self._timelapses.get(caller(), timelapse_id, "timelapses.write")

    async def speed(self, timelapse_id: int) -> Response:
        """A faster copy."""
        await json_body(SpeedBody)
        self._timelapses.get(caller(), timelapse_id, "timelapses.write")


_NONE = "This farm records no cameras: there is none."
_LIST = Doc(
    summary="Recordings of prints",
    description=_NONE,
    answer=list[TimelapseAnswer],
    right="timelapses.read",
    query=(
        Query(name="printer_id", type=RowId, description="Only of this printer"),
        Query(
            name="status",
            type=Annotated[str, Field(max_length=MAX_STATUS)],
            description="Only those in this state",
        ),
    ),
    paged=True,
)
_GET = Doc(
    summary="A recording", description=_NONE, answer=TimelapseAnswer, right="timelapses.read"
)
_DELETE = Doc(
    summary="Delete a recording",
    description=_NONE,
    status=204,
    right="timelapses.admin",
    dry_run=True,
)
_VIDEOS = {
    name: Doc(
        summary=summary,
        description=f"{_NONE} Credentials come in a header or the cookie, never in the address.",
        answer=bytes,
        media="video/mp4",
        right="timelapses.read",
    )
    for name, summary in (
        ("video", "The video of a recording"),
        ("stream", "The video of a recording, to be watched as it comes"),
        ("download", "The video of a recording, as an attachment"),
    )
}
_TRIM = Doc(
    summary="Keep a part of a recording",
    description=_NONE,
    answer=TimelapseAnswer,
    body=TrimBody,
    right="timelapses.write",
    dry_run=True,
)
_SPEED = Doc(
    summary="Make a faster or slower copy of a recording",
    description=_NONE,
    answer=TimelapseAnswer,
    body=SpeedBody,
    right="timelapses.write",
    dry_run=True,
)
