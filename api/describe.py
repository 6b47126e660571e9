"""What a route says of itself: the one place from which the v1 specification is made.

Rooms hand a `Doc` to `api.v1.V1.add` with every route. `api.spec` turns them into OpenAPI, and the
tests hold every real answer against it. What follows from the rest need not be repeated: 401 from
the credential, 403 from *right*, 404 from an id in the path, 422 from *body* and *query*.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """A JSON object that a route answers. It only describes: views build the bytes themselves.

    Every field is always there (null where it says so) unless it has a default.
    """

    # Built when the specification is asked for: a cloud function never pays for it.
    model_config = ConfigDict(extra="forbid", defer_build=True)


#: UTC, ISO 8601 with milliseconds and `Z`.
Instant = Annotated[
    str,
    Field(
        description="UTC, ISO 8601 with milliseconds",
        json_schema_extra={"format": "date-time", "examples": ["2026-11-21T16:30:00.000Z"]},
    ),
]


#: How long a text in a query or a path may be, where its route says nothing else.
TEXT_LENGTH = 200
Text = Annotated[str, Field(max_length=TEXT_LENGTH)]
#: Row numbers and counts in a query have at most so many digits.
DIGITS = 15
#: A whole number that counts something.
Count = Annotated[int, Field(ge=0, lt=10**DIGITS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One name in the query. *type*: any type that pydantic describes, limits included."""

    name: str
    description: str
    type: Any = Text
    required: bool = False

    @property
    def longest(self) -> int | None:
        """How long its text may be; None: its type is not limited by its length."""
        for said in get_args(self.type)[1:]:
            for each in (said, *getattr(said, "metadata", ())):
                length: int | None = getattr(each, "max_length", None)
                if length is not None:
                    return length
        return None


#: Of every list: which part of it, and its header `X-Total-Count`.
PAGING = (
    Query(name="skip", type=Count, description="Rows to leave out, default 0"),
    Query(name="offset", type=Count, description="The same as `skip`"),
    Query(
        name="limit",
        type=Count,
        description="Rows at most: 1 to 500, default 50; other numbers count as the nearest",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doc:
    """A route in the specification.

    *summary*: one line, what it does. *answer*: the type of the 2xx JSON body; None: no body.
    *media*: of the answer, where it is not JSON. *right*: the row of `api.principal.RIGHTS` that
    the service asks for; None: any authenticated caller. *body*: the type of the JSON body; *form*:
    other media types that are taken, with their schema. *problems*: codes of `schemas.problems`
    that this route answers besides those that follow from the rest. *paged*: a list with `PAGING`.
    *others*: by status, the type of a JSON body that is neither the answer nor a problem.
    *dry_run*: ``X-Dry-Run`` is answered with what would be done (`api.dry_run`). *overtakes*: done
    also while nobody can keep its ``Idempotency-Key``; twice is once.
    """

    summary: str
    answer: Any = None
    status: int = 200
    right: str | None = None
    body: Any = None
    form: dict[str, dict[str, Any]] | None = None
    query: tuple[Query, ...] = ()
    paged: bool = False
    problems: tuple[str, ...] = ()
    media: str = "application/json"
    description: str = ""
    others: dict[int, Any] = field(default_factory=dict)
    dry_run: bool = False
    overtakes: bool = False
