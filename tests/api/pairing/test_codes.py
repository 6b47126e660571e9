"""User codes and the bound on guessing them."""

from api.pairing.codes import ALPHABET, Tries, new_user_code, shown, typed


def test_a_code_survives_being_typed() -> None:
    """Case, dash and spaces do not matter; eight characters without look-alikes."""
    code = new_user_code()
    assert len(code) == 8
    assert typed(shown(code)) == typed(f" {shown(code).lower()} ") == code
    assert not set("01OIL") & set(ALPHABET)


def test_what_is_no_code_is_none() -> None:
    """Too short, too long, or with characters that no code has."""
    assert [typed(text) for text in ("", "ABCD-234", "ABCD-23456", "ABCD-234O")] == [None] * 4


def test_tries_are_bounded_over_a_sliding_window() -> None:
    """The third of two has to wait until the first is a minute old."""
    tries = Tries(2, 60)
    for now in (0.0, 10.0):
        assert tries.wait_s("a", now) == 0
        tries.count("a", now)
    assert tries.wait_s("a", 20) == 40
    assert tries.wait_s("b", 20) == 0
    assert tries.wait_s("a", 60) == 0


def test_the_memory_of_tries_is_bounded() -> None:
    """A flood of addresses pushes out the quietest one, not the busiest."""
    tries = Tries(1, 60)
    for number in range(Tries.MAX_KEYS):
        tries.count(str(number), 0)
    tries.count("0", 1)
    tries.count("new", 1)
    assert tries.wait_s("0", 1) > 0
    assert tries.wait_s("1", 1) == 0
