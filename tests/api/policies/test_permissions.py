"""Which roles may what: moved as asked, never so that somebody gains the farm (v1 2.2). Pure."""

from typing import Any

import pytest

from api.errors import Invalid
from api.policies.permissions import is_fixed, minimums_of, shown, table
from api.principal import RIGHTS, Principal, Role


def moved(actions: dict[str, list[str]], pages: dict[str, list[str]] | None = None) -> Any:
    return minimums_of(pages or {}, actions, RIGHTS)


def somebody(role: Role, minimums: dict[str, str]) -> Principal:
    return Principal(
        organization_id=1,
        user_id=1,
        username="somebody",
        role=role,
        kind="session",
        credential_id=1,
        rights=table(minimums),
    )


def test_what_is_shown_can_be_sent_back() -> None:
    """The whole table, unchanged, moves nothing."""
    told = shown(RIGHTS)
    assert minimums_of(told["page_access"], told["action_access"], RIGHTS) == {}


def test_a_right_is_moved_down_and_up() -> None:
    """Roles with it are the named one and all above."""
    minimums = moved(
        {"jobs.submit": ["operator", "admin"], "jobs.write": ["viewer", "operator", "admin"]}
    )
    assert minimums == {"jobs.submit": "operator", "jobs.write": "viewer"}
    viewer = somebody(Role.VIEWER, minimums)
    assert (viewer.may("jobs.submit"), viewer.may("jobs.write")) == (False, True)
    assert shown(table(minimums))["action_access"]["jobs.submit"] == ["operator", "admin"]


def test_a_page_is_the_right_to_read_it() -> None:
    """A client that changes only one of the two maps means it."""
    told = shown(RIGHTS)
    told["page_access"]["orders"] = ["operator", "admin"]
    minimums = minimums_of(told["page_access"], told["action_access"], RIGHTS)
    assert minimums == {"orders.read": "operator"}


def test_the_two_maps_must_not_contradict_each_other() -> None:
    """Nobody guesses which one was meant."""
    with pytest.raises(Invalid, match="page_access says otherwise"):
        moved(
            {"orders.read": ["admin"]},
            {"orders": ["operator", "admin"]},
        )


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ({"users.admin": ["operator", "admin"]}, "stays so"),
        ({"organizations.all": ["admin"]}, "stays so"),
        ({"farm.admin": ["admin"]}, "stays so"),
        ({"self.write": ["admin"]}, "stays so"),
        ({"factor.enrol": ["admin"]}, "stays so"),
        ({"jobs.write": ["superadmin"]}, "stays so"),
        ({"jobs.write": ["viewer", "admin"]}, "ranked"),
        ({"jobs.write": ["operator"]}, "ranked"),
        ({"jobs.write": []}, "ranked"),
        ({"jobs.fly": ["admin"]}, "no right"),
    ],
)
def test_what_would_give_the_farm_away_is_refused(actions: dict[str, list[str]], said: str) -> None:
    """Admins' rights and everybody's own account stay; roles are a ranked set."""
    with pytest.raises(Invalid, match=said):
        moved(actions)


def test_a_row_that_nobody_could_have_written_moves_nothing() -> None:
    """A restored or older database cannot open what is fixed."""
    rights = table({"users.admin": "viewer", "gone.right": "viewer", "jobs.write": "viewer"})
    assert rights["users.admin"] == RIGHTS["users.admin"]
    assert "gone.right" not in rights
    assert rights["jobs.write"].role is Role.VIEWER
    assert is_fixed("audit.read")
