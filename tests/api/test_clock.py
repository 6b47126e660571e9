"""What many do every so often they do not do at the same moment."""

from api.clock import phase


def test_a_hundred_rooms_that_came_together_do_the_same_at_other_times() -> None:
    """However their numbers lie: side by side, or every tenth."""
    for step in (1, 2, 10):
        shares = [phase(number * step) for number in range(1, 101)]
        assert all(0 <= share < 1 for share in shares)
        tenths = [sum(int(share * 10) == tenth for share in shares) for tenth in range(10)]
        assert all(4 <= count <= 17 for count in tenths)
