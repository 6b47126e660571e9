"""A copied identity: the machine that is known longer stays, the newcomer waits for a person."""

from api.bridges.clones import REMEMBERED, Machines, greeted, other_stays

FRESH = Machines("", (), "")


def after(*boots: str) -> list[Machines | None]:
    """What is known after each hello; a machine that is turned away changes nothing."""
    known, seen = FRESH, []
    for boot in boots:
        found = greeted(known, boot)
        known = found or known
        seen.append(found)
    return seen


def test_host_that_restarts_is_one_machine() -> None:
    """Link, "Identity": a new boot id is a restart, the same one a new agent."""
    seen = after("a", "a", "b", "c")
    assert seen[-1] == Machines("c", ("a", "b"), "")


def test_machine_that_comes_back_after_another_shows_the_copy() -> None:
    """Acceptance (e), S58: a, b, a: b is turned away, also the next time."""
    assert after("a", "b", "a", "b", "a")[2:] == [
        Machines("a", (), "b"),
        None,
        Machines("a", (), "b"),
    ]


def test_copy_that_restarts_is_found_again() -> None:
    """Its new boot id is a stranger once; the true machine's return tells."""
    seen = after("a", "b", "a", "b2", "a")
    assert seen[-1] == Machines("a", (), "b2")


def test_person_may_choose_the_other_machine() -> None:
    """Then the first one is turned away."""
    chosen = other_stays(Machines("a", ("z",), "b"))
    assert chosen == Machines("b", ("z",), "a")
    assert greeted(chosen, "a") is None


def test_only_so_many_boots_are_remembered() -> None:
    """The column is bounded, and reads back as it was written."""
    last = after(*(f"boot-{number}" for number in range(40)))[-1]
    assert last is not None
    columns = last.columns()
    assert len(columns["former_boots"].split()) == REMEMBERED
    read = Machines.of(columns["boot_id"], columns["former_boots"], columns["quarantined_boot"])
    assert read.former == last.former[-REMEMBERED:]
