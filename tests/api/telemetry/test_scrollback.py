"""Lines of a terminal have places, and what is missing leaves a mark."""

from api.telemetry.scrollback import KEPT_LINES, LEFT_OUT, Scrollback


def test_a_reader_gets_what_came_since() -> None:
    """Each line once, by its place."""
    lines = Scrollback()
    lines.put(["a", "b"])
    place = lines.end
    assert lines.since(0) == ["a", "b"] and lines.since(place) == []
    lines.put(["c"])
    assert lines.since(place) == ["c"]
    assert lines.last(2) == ["b", "c"]


def test_what_is_missing_is_said() -> None:
    """With its number where that is known."""
    lines = Scrollback()
    lines.put(["a"], dropped=3)
    lines.put(["b"], dropped=None)
    assert lines.since(0) == ["[... 3 lines left out ...]", "a", LEFT_OUT, "b"]


def test_the_oldest_lines_go() -> None:
    """Whoever was behind them hears that something is missing."""
    lines = Scrollback()
    lines.put(["old"])
    lines.put([str(number) for number in range(KEPT_LINES)])
    assert lines.since(0) == [LEFT_OUT, *lines.last(KEPT_LINES)]
    assert lines.since(lines.start) == lines.last(KEPT_LINES)
    assert len(lines.last(10_000)) == KEPT_LINES
