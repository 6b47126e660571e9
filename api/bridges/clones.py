"""Two machines with one identity, as a copied SD card makes them (room link, "Identity"): pure.

A host never comes back to the id of an earlier boot, an agent never to that of an earlier run. When
one does, two machines take turns, or two agents on one machine with copies of a state directory:
the one that is known longer stays, the newcomer is turned away until a person decides. A machine
that is turned away stays so when its agent starts anew.
"""

from dataclasses import dataclass

REMEMBERED = 7  # earlier machines and runs of a room
_RUN = "."  # stands between the boot of a machine and the run of its agent
_BOOT, _RUN_ID = 40, 20  # characters; both and the point fit their columns


@dataclass(frozen=True, slots=True)
class Machines:
    """As `machine_of` writes them: who is listened to, earlier ones, and who is turned away."""

    boot: str
    former: tuple[str, ...]
    quarantined: str

    @classmethod
    def of(cls, boot: str, former: str, quarantined: str) -> "Machines":
        """From the columns of a row."""
        return cls(boot, tuple(former.split()), quarantined)

    def columns(self) -> dict[str, str]:
        """For the row."""
        former = " ".join(self.former[-REMEMBERED:])
        return {"boot_id": self.boot, "former_boots": former, "quarantined_boot": self.quarantined}


def machine_of(boot_id: str, run_id: str) -> str:
    """How a machine and the run of its agent are written down; agents before had no run."""
    boot = boot_id[:_BOOT].replace(_RUN, "")
    return f"{boot}{_RUN}{run_id[:_RUN_ID]}" if run_id else boot


def has_been(machines: Machines, machine: str) -> bool:
    """Whether *machine* has greeted before others did that came after it."""
    if _host(machine) != _host(machines.boot):
        return _host(machine) in map(_host, machines.former)
    return _RUN in machine and machine in machines.former


def greeted(machines: Machines, machine: str) -> Machines | None:
    """What is known after a hello from *machine*; None: it is turned away."""
    if _is_turned_away(machines, machine):
        return None
    if machine == machines.boot or not machines.boot:
        return Machines(machine, machines.former, machines.quarantined)
    if not has_been(machines, machine):
        return Machines(machine, (*machines.former, machines.boot), machines.quarantined)
    gone = _host if _host(machine) != _host(machines.boot) else str
    former = tuple(one for one in machines.former if gone(one) != gone(machine))
    return Machines(machine, former, machines.boot)


def _is_turned_away(machines: Machines, machine: str) -> bool:
    if not machines.quarantined:
        return False
    is_its_host = _host(machine) == _host(machines.quarantined) != _host(machines.boot)
    return is_its_host or machine == machines.quarantined


def _host(machine: str) -> str:
    return machine.partition(_RUN)[0]


def other_stays(machines: Machines) -> Machines:
    """A person wants the machine that was turned away; the other one is from now on."""
    return Machines(machines.quarantined, machines.former, machines.boot)
