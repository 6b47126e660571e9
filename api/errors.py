"""What a room answers when it cannot do what was asked.

* `Problem` (never raised itself)
  * `NotAuthenticated`: no or bad credentials
  * `Forbidden`: known, but not allowed
  * `NotFound`: not there, or of another organization (the same answer)
  * `Invalid`: the request is wrong as it stands; nothing changed
  * `Conflict`: not in this state
  * `TooMany`: asked too often; the same call may succeed later
  * `Unavailable`: somebody we need does not answer; the same call may succeed later

The code picks status and retriability from `schemas.problems.PROBLEMS`; facts for the client are
in *extra*, never to be parsed out of the text.
"""

from typing import Any, ClassVar

from schemas.problems import PROBLEMS, ProblemKind


class Problem(Exception):
    """A refusal with a stable *code*, a sentence for a person, and facts."""

    default_code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *, code: str | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code or self.default_code
        self.detail = detail
        self.extra = extra
        if self.code not in PROBLEMS:
            raise KeyError(f"problem code {self.code!r} is not in schemas.problems.PROBLEMS")

    @property
    def kind(self) -> ProblemKind:
        """Status codes and retriability."""
        return PROBLEMS[self.code]


class NotAuthenticated(Problem):
    """No credentials, or none that are valid."""

    default_code = "not_authenticated"


class Forbidden(Problem):
    """Known, but not allowed to do this."""

    default_code = "permission_denied"


class NotFound(Problem):
    """Not there, or not theirs: the answer is the same."""

    default_code = "not_found"


class Invalid(Problem):
    """The request is wrong as it stands."""

    default_code = "bad_request"


class Conflict(Problem):
    """Right in itself, but not in this state."""

    default_code = "conflict"


class TooMany(Problem):
    """Asked too often. *retry_after_s* among the facts says when to come back."""

    default_code = "rate_limited"


class Unavailable(Problem):
    """Somebody we need does not answer."""

    default_code = "upstream_unavailable"
