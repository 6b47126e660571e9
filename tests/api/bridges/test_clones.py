"""A copied identity: the machine that is known longer stays, the newcomer waits for a person."""

from api.bridges.clones import REMEMBERED, Machines, greeted, machine_of, other_stays

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


def test_two_agents_on_one_machine_are_two_as_well() -> None:
    """A copy of the state directory, on the same host: they took turns for ever, unseen."""
    one, two = machine_of("host", "1"), machine_of("host", "2")
    assert after(one, two, one, two, one)[2:] == [
        Machines(one, (), two),
        None,
        Machines(one, (), two),
    ]


def test_an_agent_that_starts_anew_is_one_machine() -> None:
    """Each time under another run; also where it was of a version without runs, before or since."""
    runs = [machine_of("host", run) for run in ("1", "2", "", "3", "")]
    last = after(*runs)[-1]
    assert last is not None
    assert (last.boot, last.quarantined) == ("host", "")


def test_a_machine_that_is_turned_away_stays_so_when_its_agent_starts_anew() -> None:
    """The other one's agent may start anew, too."""
    seen = after("a.1", "b.1", "a.1", "b.2", "a.2", "b.3")
    assert seen[3] is None
    assert seen[4] == Machines("a.2", ("a.1",), "b.1")
    assert seen[5] is None


def test_what_an_agent_says_fits_the_columns() -> None:
    """Whatever it says: 64 characters, and seven of them beside each other in 500."""
    long = machine_of("h" * 500, "r" * 500)
    assert len(long) <= 64
    assert len(" ".join([long] * REMEMBERED)) <= 500
    assert machine_of("h.1", "2").count(".") == 1
