"""Who is let in: networks as they are typed, and addresses as they come (v1 1.1). Pure."""

import pytest

from api.errors import Invalid
from api.policies.doorway import MAX_CIDRS, allowlist_of, checked

OFFICE = {"enabled": True, "cidrs": ["192.168.1.0/24", "2001:db8::/32"]}


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("192.168.1.7", True),
        ("192.168.2.7", False),
        ("::ffff:192.168.1.7", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("not an address", False),
    ],
)
def test_only_addresses_of_the_networks_are_let_in(address: str, admitted: bool) -> None:
    """An IPv4 address that comes as IPv6 is the same one; who has none is a stranger."""
    listed = allowlist_of(OFFICE)
    assert listed is not None
    assert listed.admits(address) == admitted


@pytest.mark.parametrize("kept", [{}, {"enabled": False, "cidrs": ["10.0.0.0/8"]}])
def test_without_a_list_everybody_is_let_in(kept: dict[str, object]) -> None:
    """Nothing set, or switched off."""
    assert allowlist_of(kept) is None


def test_the_list_may_hold_for_the_api_alone() -> None:
    """Pages are then for everybody; sockets and both faces' calls are not."""
    listed = allowlist_of({**OFFICE, "mode": "api_only"})
    assert listed is not None
    assert [listed.guards(path) for path in ("/", "/reset-password", "/api/v1/jobs")] == [
        False,
        False,
        True,
    ]


def test_networks_are_kept_as_networks() -> None:
    """A host in a network names the network; a lone address itself."""
    kept = checked(
        enabled=True,
        cidrs=["192.168.1.7/24", "10.0.0.7"],
        mode="api_and_ui",
        address="10.0.0.7",
    )
    assert kept["cidrs"] == ["192.168.1.0/24", "10.0.0.7/32"]


@pytest.mark.parametrize(
    ("cidrs", "mode", "said"),
    [
        (["10.0.0.0/8"], "api_and_ui", "lock you out"),
        ([], "api_and_ui", "empty list"),
        (["10.0.0.0/33"], "api_and_ui", "no network"),
        (["evil.example"], "api_and_ui", "no network"),
        (["10.0.0.1, 10.0.0.2"], "api_and_ui", "no network"),
        ([""], "api_and_ui", "no network"),
        (["192.168.1.0/24"], "everything", "mode takes"),
        (["192.168.1.0/24"] * (MAX_CIDRS + 1), "api_and_ui", "At most"),
    ],
)
def test_a_list_that_helps_nobody_is_refused(cidrs: list[str], mode: str, said: str) -> None:
    """Nobody locks themselves out, and what is no network is named."""
    with pytest.raises(Invalid, match=said):
        checked(enabled=True, cidrs=cidrs, mode=mode, address="192.168.1.7")


def test_a_list_that_is_off_may_leave_out_its_author() -> None:
    """It is prepared; it locks nobody out before it is switched on."""
    kept = checked(enabled=False, cidrs=["10.0.0.0/8"], mode="api_and_ui", address="192.168.1.7")
    assert kept == {"enabled": False, "cidrs": ["10.0.0.0/8"], "mode": "api_and_ui"}
