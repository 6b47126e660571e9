"""When a printer had to starve, and who is to blame (stream-quality score)."""

from bridge.sender.quality import PLANNER_BLOCKS, Meter, Place, waited_for_cpu


class Print:
    """Lines that are answered one by one on a clock that the test moves."""

    def __init__(self) -> None:
        self.now, self.waited_s, self.acked, self.resends = 10.0, 0.0, 0, 0
        self.meter = Meter(lambda: self.waited_s)

    def lines(self, count: int, line_s: float, *, late_s: float = 0.0) -> None:
        """*count* answers, *line_s* apart, each *late_s* after its line left."""
        for _ in range(count):
            self.meter.wrote(self.now, self.acked + 1)
            self.now += max(line_s, late_s)
            self.acked += 1
            self.meter.heard(self.now, self.acked, self.resends, lambda: Place(self.acked, 3))


def test_a_steady_print_is_perfect() -> None:
    """No gap, no resend; latency is what it was, within a quarter."""
    one = Print()
    one.lines(2000, 0.002)
    quality = one.meter.quality()
    assert (quality.score, quality.starved_s, quality.gaps) == (100, 0.0, 0)
    assert 2.0 <= quality.latency_p50_ms <= 2.5
    assert quality.worst_line is None


def test_a_long_move_starves_nobody() -> None:
    """The printer took its time: this process did not wait for a CPU."""
    one = Print()
    one.lines(500, 0.002)
    one.lines(1, 3.0)
    one.lines(500, 0.002)
    assert one.meter.quality().starved_s == 0.0


def test_a_host_that_does_not_run_starves_the_printer_beyond_its_planner() -> None:
    """What the planner holds is not lost; the worst place is told."""
    one = Print()
    one.lines(2000, 0.002)
    one.waited_s += 0.5
    one.lines(1, 0.5)
    quality = one.meter.quality()
    assert abs(quality.starved_s - (0.5 - PLANNER_BLOCKS * 0.002)) < 0.01
    assert (quality.gaps, quality.worst_gap_ms) == (1, 500.0)
    assert (quality.worst_line, quality.worst_layer) == (2001, 3)
    assert quality.score < 100


def test_strays_are_those_of_the_attempt() -> None:
    """What the stream had counted before is another print's."""
    one = Print()
    one.meter.restart(3)
    assert one.meter.quality(5).strays == 2
    assert one.meter.quality(0).strays == 0  # another connection has begun to count


def test_noise_counts_whole_and_lowers_the_score() -> None:
    """A gap that a Resend made is not the printer's wish."""
    one = Print()
    one.lines(1000, 0.001)
    one.resends += 1
    one.lines(1, 0.3)
    quality = one.meter.quality()
    assert quality.resends == 1
    assert quality.starved_s > 0.25


def test_blocking_commands_and_pauses_are_no_gaps() -> None:
    """Homing takes its time; so does a person."""
    one = Print()
    one.lines(100, 0.001)
    one.meter.paused()
    one.waited_s += 5.0
    one.now += 60.0
    one.lines(100, 0.001)
    assert one.meter.quality().starved_s == 0.0


def test_the_kernel_counts_what_we_wait() -> None:
    """The clock of this machine rises."""
    clock = waited_for_cpu()
    assert 0.0 <= clock() <= clock() < 1e6
