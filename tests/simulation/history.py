"""What happened, in the order it happened: the only thing that the checker looks at."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """At *at* virtual seconds, *who* did *what*."""

    at: float
    who: str  # api, disk, room, wire, machine, person, fault, end
    what: str
    data: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(name) from None

    def __str__(self) -> str:
        rest = " ".join(f"{key}={value}" for key, value in self.data.items())
        return f"{self.at:9.3f} {self.who:8} {self.what:14} {rest}"


@dataclass
class History:
    """The log. *now* gives virtual seconds; *states*: combinations that were visited."""

    entries: list[Entry] = field(default_factory=list)
    states: set[tuple[Any, ...]] = field(default_factory=set)
    now: Any = None

    def add(self, who: str, what: str, **data: Any) -> None:
        """Something happened just now."""
        self.entries.append(Entry(self.now(), who, what, data))

    def of(self, who: str, *what: str) -> list[Entry]:
        """The entries of *who*, of these kinds if any are named."""
        return [e for e in self.entries if e.who == who and (not what or e.what in what)]

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries))
