"""What goes over a bus: parcels that fit, in a shape that nothing else has."""

import json

import pytest

from api.bus.parcel import BadParcel, Outgoing, Parcel, unpack


def _all(out: Outgoing) -> list[Parcel]:
    return [unpack(message) for message in out.parcels()]


def test_names_and_pictures_fit_their_messages() -> None:
    """Whatever there is to say, no message is larger than the bus carries, and nothing is lost."""
    out = Outgoing("me", 2000)
    names = [f"command:{number:026d}" for number in range(300)]
    out.add_wakes(names, 7)
    for number in range(40):
        assert out.add_live(f"live:{number}", json.dumps({"x": "y" * 300}).encode())
    messages = list(out.parcels())
    assert max(map(len, messages)) <= 2000
    parcels = [unpack(message) for message in messages]
    assert [name for parcel in parcels for name in parcel.names] == names
    assert len([one for parcel in parcels for one in parcel.live]) == 40
    assert out.is_empty


def test_a_number_comes_with_the_last_of_its_names() -> None:
    """Whoever has heard a number has heard all the names of its row."""
    out = Outgoing("me", 2000)
    out.add_wakes([f"command:{number:026d}" for number in range(300)], 7)
    numbers = [parcel.numbers for parcel in _all(out) if parcel.names]
    assert numbers[:-1] == [[]] * (len(numbers) - 1)
    assert numbers[-1] == [7]


def test_of_a_key_only_the_newest_is_said() -> None:
    """Pictures are lossy: the latest wins."""
    out = Outgoing("me", 2000)
    out.add_live("live:1", b"1")
    out.add_live("live:1", b"2")
    assert [(key, bytes(payload)) for parcel in _all(out) for key, payload in parcel.live] == [
        ("live:1", b"2")
    ]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too much: forgotten with its numbers, so that the others take it from the outbox."""
    monkeypatch.setattr("api.bus.parcel.MAX_NAMES", 3)
    out = Outgoing("me", 2000)
    assert [out.add_wakes([f"job:{number}"], number) for number in range(5)] == [0, 0, 0, 3, 0]
    assert [(parcel.names, parcel.numbers) for parcel in _all(out)] == [
        (["job:3", "job:4"], [3, 4])
    ]
    assert [out.add_wakes(["job:1"], number) for number in range(4)] == [0, 0, 0, 1]


def test_what_is_too_large_is_refused_not_cut() -> None:
    """Half a picture is none."""
    assert not Outgoing("me", 2000).add_live("live:1", b"x" * 2000)


@pytest.mark.parametrize(
    "poison",
    [
        *(b"", b"null", b"{}", b"[]", b'["me"]', b'["me",[],[],[],1]', b'["me",["x"],[],[]]'),
        *(b"\x80\x04\x95", b'["me",[],[1],[]]', b"[" * 100_000, '["\ud800",[],[],[]]'),
    ],
    ids=lambda poison: repr(poison[:12]),
)
def test_what_is_no_parcel_is_refused(poison: bytes | str) -> None:
    """JSON of one shape only; nothing else is taken off the bus (safety S69)."""
    with pytest.raises(BadParcel):
        unpack(poison)
