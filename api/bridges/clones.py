"""Two machines with one identity, as a copied SD card makes them (room link, "Identity"): pure.

A host never comes back to the id of an earlier boot. When one does, two machines take turns: the
one that is known longer stays, the newcomer is turned away until a person decides.
"""

from dataclasses import dataclass

REMEMBERED = 7  # earlier boots of a room


@dataclass(frozen=True, slots=True)
class Machines:
    """Boot ids: the one that is listened to, earlier ones, and the one that is turned away."""

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


def greeted(machines: Machines, boot: str) -> Machines | None:
    """What is known after a hello from *boot*; None: it is turned away."""
    if boot == machines.quarantined:
        return None
    if boot == machines.boot or not machines.boot:
        return Machines(boot, machines.former, machines.quarantined)
    if boot in machines.former:
        former = tuple(one for one in machines.former if one != boot)
        return Machines(boot, former, machines.boot)
    return Machines(boot, (*machines.former, machines.boot), machines.quarantined)


def other_stays(machines: Machines) -> Machines:
    """A person wants the machine that was turned away; the other one is from now on."""
    return Machines(machines.quarantined, machines.former, machines.boot)
