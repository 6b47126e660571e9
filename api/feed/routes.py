"""``GET /events``: what happened, by number, for those who ask instead of listening."""

from typing import Any

from pydantic import Field
from quart import Response

from api.describe import Answer, Count, Doc, Instant, Query
from api.feed.service import Feed
from api.http import DEFAULT_LIMIT, MAX_LIMIT, int_query, json_answer
from api.v1 import V1, caller

NEXT_HEADER = "X-Next-Since"


class EventAnswer(Answer):
    """An event, or a single `reset` when what came after `since` is not kept any more."""

    type: str = Field(
        description="What happened, for example job_started, job_completed, "
        "printer.state_changed or reset",
        examples=["job_started"],
    )
    id: int = Field(description="Its number: rises by one per event; the cursor to ask with next")
    at: Instant | None = Field(default=None, description="When; not of a reset")
    data: dict[str, Any] = Field(description="What it is about, by type")


#: For the specification's description: a websocket has no place of its own in OpenAPI.
WEBSOCKET_TEXT = """\
**Live: `/ws`** (also `/api/ws`, `/api/v1/ws`) is a websocket that tells what happens as it happens,
in frames `{"type", "data"}`. Sign in with the one-shot token of `POST /auth/ws-token` as `?token=`
(30 s, works once), with the session cookie from a page of this server, or with `Authorization:
Bearer` or `X-API-Key`; otherwise the upgrade is answered 403. You hear of your organization, and of
what your role, scopes and key may read.

* `printer_telemetry`: the picture of a printer (temperatures in °C, progress in percent,
  `remaining_min`), one of each at the start, then at most once a second and on every change of
  state. Of many pictures only the newest is sent; they have no `id`.
* `job_started`, `job_completed`, `job.cancelled`, `job_dispatch_event`, `printer.state_changed`,
  and every other event under its own name (`job.created`, `printer.updated` …), each with its
  number `id` and its time `at`.
* `hello` comes first and names the `id` at which you begin. Come back with `?since=<id>` of the
  last event you have seen: what you missed is sent first, in order, nothing twice. `reset` says
  that it is not kept any more: read the state again and go on.
* Text `ping` is answered `pong`; after 30 s without a word from you `{"type": "ping"}` comes.
  Whoever does not read for 5 s is let go with 1013; 4401 says that the credential is over, 1012
  that the server restarts: come back with `since`.

`GET /events?since=` gives the same events to those who ask now and then.
"""


class EventRoutes:
    """``/events``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def register(self, v1: V1) -> None:
        """Declare the route."""
        v1.add(
            "GET",
            "/events",
            self.list,
            Doc(
                summary="What happened after an event that you know, oldest first",
                description="Only what you may read. The header `X-Next-Since` is the cursor for "
                "the next call, also when nothing on this page was for you; an empty page with an "
                "unchanged cursor is the present.",
                answer=list[EventAnswer],
                query=(
                    Query(
                        name="since",
                        type=Count,
                        description="The `id` of the last event you have seen; 0: from the first",
                    ),
                    Query(
                        name="limit",
                        type=Count,
                        description="Events at most: 1 to 500, default 50",
                    ),
                ),
            ),
        )

    async def list(self) -> Response:
        """A page of events."""
        since = int_query("since", 0)
        limit = min(max(int_query("limit", DEFAULT_LIMIT), 1), MAX_LIMIT)
        page = await self._feed.page(caller(), since, limit)
        return json_answer(page.envelopes, headers={NEXT_HEADER: str(page.next_since)})
