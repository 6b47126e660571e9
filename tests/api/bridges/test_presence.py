"""Which rooms count as there."""

from api.bridges.presence import Presence


def test_a_short_break_is_not_an_absence() -> None:
    """Within the grace a room that left still counts as there (safety R06)."""
    presence = Presence(grace_s=5)
    presence.came(1, epoch=1, now=0)
    assert presence.left(1, epoch=1, now=100)
    assert presence.online(1, now=104.9)
    assert not presence.lapsed(now=104.9)
    assert not presence.online(1, now=105)


def test_an_absence_is_told_once() -> None:
    """The end of the grace is reported until it is told, and not again."""
    presence = Presence(grace_s=5)
    presence.came(1, epoch=1, now=0)
    presence.left(1, epoch=1, now=100)
    assert presence.lapsed(now=106) == [1]
    assert presence.lapsed(now=107) == [1]
    presence.told([1, 2])
    assert presence.lapsed(now=108) == []


def test_a_room_that_came_back_while_it_was_told_is_told_of_again() -> None:
    """What is told is the absence that was found, not the next one."""
    presence = Presence(grace_s=5)
    presence.came(1, epoch=1, now=0)
    presence.left(1, epoch=1, now=100)
    lapsed = presence.lapsed(now=106)
    presence.came(1, epoch=2, now=0)
    presence.told(lapsed)
    presence.left(1, epoch=2, now=107)
    assert presence.lapsed(now=112) == [1]


def test_an_absence_that_another_process_told_is_ours_at_once() -> None:
    """No second grace begins and nothing is told twice; a newer link than that is not touched."""
    presence = Presence(grace_s=5)
    presence.came(1, epoch=1, now=0)
    presence.left(1, epoch=1, now=100)
    presence.lost(1, epoch=1, now=101)
    assert not presence.online(1, now=101)
    assert presence.lapsed(now=200) == []
    presence.came(1, epoch=3, now=0)
    presence.lost(1, epoch=2, now=201)
    assert presence.online(1, now=201)


def test_a_late_end_of_an_old_link_changes_nothing() -> None:
    """The newer link stays connected when the older one's end is noticed (link, Fencing)."""
    presence = Presence(grace_s=5)
    presence.came(1, epoch=2, now=0)
    assert not presence.left(1, epoch=1, now=100)
    assert presence.connected(1)
    assert presence.outdated(1, epoch=1)
    assert not presence.outdated(1, epoch=2)


def test_an_unknown_room_is_not_there() -> None:
    """Nobody counts as present before they were seen, nor after they were removed."""
    presence = Presence(grace_s=5)
    assert not presence.online(1, now=0)
    presence.came(1, epoch=1, now=0)
    presence.forget(1)
    assert not presence.online(1, now=0)


def test_rooms_that_come_back_one_after_the_other_are_waited_for() -> None:
    """After a start nobody is called lost while the stream of rooms flows, for a minute at most."""
    presence = Presence(grace_s=5)
    for bridge_id in range(1, 5):
        presence.left_before(bridge_id, epoch=1, now=0)
    presence.came(1, epoch=2, now=19)
    assert presence.online(2, now=21) and presence.lapsed(now=21) == []
    presence.came(3, epoch=2, now=21.5)
    assert presence.online(2, now=24) and presence.lapsed(now=24) == []
    assert not presence.online(2, now=24.5)
    assert presence.lapsed(now=24.5) == [2, 4]
    presence.came(4, epoch=2, now=59)
    assert presence.lapsed(now=59) == []
    assert presence.lapsed(now=60) == [2]


def test_a_told_absence_is_not_taken_back_by_others() -> None:
    """What was said stays said until the room itself comes."""
    presence = Presence(grace_s=5)
    presence.left_before(1, epoch=1, now=0)
    presence.left_before(2, epoch=1, now=0)
    presence.told(presence.lapsed(now=21))
    presence.came(2, epoch=2, now=22)
    assert not presence.online(1, now=22)


def test_nobody_saw_a_room_that_this_process_has_not_heard() -> None:
    """It is waited for after a start; that is no sign of life of its own."""
    presence = Presence(grace_s=5)
    presence.left_before(1, epoch=1, now=0)
    assert presence.online(1, now=1) and presence.last_there(1, now=1) is None
    presence.came(1, epoch=2, now=2)
    assert presence.last_there(1, now=3) == 3
