"""Which commands a link has said. Pure.

A command may be committed as sent before its link has said it (`api.commands.carrying`), so only
the link knows what the bridge can have.
"""

from collections import OrderedDict

from schemas.link import Body, Cmd, CmdGot, RemoteStop

#: More than can wait for one room. What is forgotten while nobody confirms it is said again, and
#: its journal takes it once.
KEPT = 4096


class Said:
    """The ids of the newest, and the number up to which all were said."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._seq = 0

    def __contains__(self, command_id: object) -> bool:
        return command_id in self._ids

    def note(self, body: Cmd | RemoteStop) -> bool:
        """This is being said; whether it has been before."""
        is_again = body.id in self._ids
        self._ids[body.id] = None
        if len(self._ids) > KEPT:
            self._ids.popitem(last=False)
        if isinstance(body, Cmd):
            self._seq = body.seq
        return is_again

    def known(self, body: Body) -> Body:
        """*body* as far as this link can know it: nobody has a command that was never said.

        A journal that is older than the rows (they came from a backup, or another farm's rows were
        before them) speaks of numbers that are not given yet.
        """
        if isinstance(body, CmdGot) and body.seq > self._seq:
            return CmdGot(seq=self._seq)
        return body
