"""What processes say to each other over a bus, in parcels that fit its messages: pure.

A parcel is JSON of a fixed shape (`Parcel`); whatever else comes is refused and changes nothing
(safety S69). Wake-ups go first; of `live` only the newest of a key. What waits is bounded:

* `live`: one picture of each printer, the newest;
* wake-ups: each name once, `MAX_NAMES` of them. When a slow channel lets more wait, all that wait
  are forgotten with the numbers of their outbox rows, so that the others miss those numbers and
  take the names from the rows (`api.events.outbox`), within two seconds.
"""

from collections.abc import Iterator

import msgspec

#: What the shape around wake-ups and pictures takes, generously.
_FRAME_BYTES = 200
MAX_NAMES = 5000  # that wait; as many outbox numbers


class BadParcel(ValueError):
    """Somebody says something on our channel that is no parcel."""


class Parcel(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """*origin*: who says it. *numbers*: the outbox rows that its *names* stand in."""

    origin: str
    numbers: list[int]
    names: list[str]
    live: list[tuple[str, msgspec.Raw]]


_decoder = msgspec.json.Decoder(Parcel)


def unpack(text: str | bytes) -> Parcel:
    """The parcel. Raises `BadParcel`."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadParcel(str(error)) from None


class Outgoing:
    """What this process has to say."""

    def __init__(self, origin: str, max_bytes: int) -> None:
        self._origin = origin
        self._room_bytes = max_bytes - _FRAME_BYTES
        self._names: dict[str, None] = {}
        self._numbers: list[int] = []
        self._live: dict[str, bytes] = {}

    @property
    def has_wakes(self) -> bool:
        """Whether somebody is to be woken."""
        return bool(self._names)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say."""
        return not self._names and not self._live

    def add_wakes(self, names: list[str], number: int | None) -> int:
        """Say *names* with the next parcels; how many that waited are forgotten for it."""
        forgotten = 0
        if max(len(self._names), len(self._numbers)) >= MAX_NAMES:
            forgotten = len(self._names)
            self._names, self._numbers = {}, []
        self._names.update(dict.fromkeys(names))
        if number is not None:
            self._numbers.append(number)
        return forgotten

    def add_live(self, key: str, payload: bytes) -> bool:
        """Say the newest of *key*; False when it fits no parcel."""
        if len(key) + len(payload) + 8 > self._room_bytes:
            return False
        self._live[key] = payload
        return True

    def parcels(self) -> Iterator[bytes]:
        """Everything, and forget it. Numbers go with the last of the names."""
        names, numbers, live = list(self._names), self._numbers, self._live
        self._names, self._numbers, self._live = {}, [], {}
        while names:
            part, names = _fitting(names, self._room_bytes)
            if names or 21 * len(numbers) > self._room_bytes // 2:
                yield self._pack([], part, [])
            else:
                yield self._pack(numbers, part, [])
        batch: list[tuple[str, msgspec.Raw]] = []
        used = 0
        for key, payload in live.items():
            size = len(key) + len(payload) + 8
            if batch and used + size > self._room_bytes:
                yield self._pack([], [], batch)
                batch, used = [], 0
            batch.append((key, msgspec.Raw(payload)))
            used += size
        if batch:
            yield self._pack([], [], batch)

    def _pack(
        self, numbers: list[int], names: list[str], live: list[tuple[str, msgspec.Raw]]
    ) -> bytes:
        return msgspec.json.encode(Parcel(self._origin, numbers, names, live))


def _fitting(names: list[str], room_bytes: int) -> tuple[list[str], list[str]]:
    """(as many as fit half the room, the rest); one always fits: names are short."""
    used = 0
    for count, name in enumerate(names):
        used += len(name.encode()) + 3
        if count and used > room_bytes // 2:
            return names[:count], names[count:]
    return names, []
