"""How long a print still takes: the slicer's word, corrected by what was measured (serial 9)."""

#: The slicer's clock must have run so long before its pace says anything.
_MEASURED_S = 60.0
#: Bounds of the pace: seconds measured for one second of the slicer's.
_PACES = (0.5, 3.0)
#: Below this share of the file a rate says nothing about the rest.
_MIN_SHARE = 0.005


class TimeLeft:
    """All times are seconds of printing, pauses left out."""

    def __init__(self) -> None:
        #: the slicer's estimate of the whole, None: unknown
        self.total_s: float | None = None
        self._first: tuple[float, float] | None = None
        self._told: tuple[float, float] | None = None

    def told(self, left_s: float, elapsed_s: float) -> None:
        """The slicer says at *elapsed_s* that *left_s* are left."""
        self._told = (left_s, elapsed_s)
        if self._first is None:
            self._first = self._told

    def told_elapsed(self, slicer_s: float, elapsed_s: float) -> None:
        """The slicer says that its own clock stands at *slicer_s*."""
        if self.total_s is not None:
            self.told(max(0.0, self.total_s - slicer_s), elapsed_s)

    def left_s(self, share: float, elapsed_s: float) -> float | None:
        """The time left when *share* (0 to 1) of the file is done; None: nobody can say."""
        if self._told is not None:
            left_s, at_s = self._told
            return round(max(0.0, left_s * self._pace() - (elapsed_s - at_s)), 1)
        if self.total_s is not None:
            # the slicer's word counts less the more of the print has been measured
            return round((1.0 - share) * ((1.0 - share) * self.total_s + elapsed_s), 1)
        if share < _MIN_SHARE:
            return None
        return round(elapsed_s * (1.0 - share) / share, 1)

    def _pace(self) -> float:
        if self._first is None or self._told is None:
            return 1.0
        slicer_s = self._first[0] - self._told[0]
        if slicer_s < _MEASURED_S:
            return 1.0
        return min(max((self._told[1] - self._first[1]) / slicer_s, _PACES[0]), _PACES[1])
