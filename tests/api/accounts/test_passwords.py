"""Which passwords are guessed first, and what checking one costs others (safety 0.5f, S08, S10)."""

import asyncio
import threading
from typing import Literal

import pytest
from argon2 import PasswordHasher

from api.accounts.guesses import is_guessable
from api.accounts.passwords import Passwords, check_rule
from api.errors import Invalid


@pytest.mark.parametrize(
    "password",
    [
        *("password", "Password1", "P@ssw0rd!", "passw0rd123", "letmein!", "Summer2026"),
        *("12345678", "87654321", "11111111", "abababab", "abcabcabc", "qwertyuiop", "QWERTZUIOP"),
        *("1q2w3e4r", "1qaz2wsx", "asdfghjkl", "asdfasdf", "qwerasdf", "octoprint1", "Gantry2026!"),
        *("00000000", "12121212", "--------", "12341234", "iloveyou!!"),
    ],
)
def test_what_is_tried_first_is_refused(password: str) -> None:
    """Known words with digits around them, walks over the keyboard, repetitions."""
    assert is_guessable(password)
    with pytest.raises(Invalid):
        check_rule(password)


@pytest.mark.parametrize("password", ["olga.smith", "htims.aglo", "Olga.Smith", "olga.smith1!"])
def test_ones_own_name_is_refused(password: str) -> None:
    """Forwards, backwards, and with something after it."""
    assert is_guessable(password, "olga.smith")


@pytest.mark.parametrize("password", ["Acme Prints", "acmeprints", "AcmePrints26!", "stnirp emca"])
def test_the_farms_name_is_refused(password: str) -> None:
    """Whoever knows the farm knows its name."""
    assert is_guessable(password, "olga", "Acme Prints")
    assert not is_guessable("a print of acme, long", "olga", "Acme Prints", "")


@pytest.mark.parametrize(
    "password",
    [
        *(
            "correct horse",
            "aaaaaaa1b2c3",
            "lower only words",
            "UPPER ONLY WORDS",
            "7413 9026 5518",
        ),
        *(
            "Grüße aus Köln",
            "密码是很长的东西",
            "Correct4horse",
            "G7h2kqz9mvw3xbn4",
            "x" * 20 + "y1z",
        ),
    ],
)
def test_any_composition_will_do(password: str) -> None:
    """No upper case, digit or sign is asked for (ASVS 6.2.5)."""
    check_rule(password, "olga")


async def test_two_hashes_at_a_time_and_none_on_the_event_loop() -> None:
    """A login storm takes two cores' worth at most: argon2id in threads, and there are two."""
    running, most, lock = 0, 0, threading.Lock()
    pair = threading.Barrier(2, timeout=10)  # each waits until another one runs beside it
    loop_thread = threading.get_ident()

    class Counting(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            nonlocal running, most
            assert threading.get_ident() != loop_thread
            with lock:
                running += 1
                most = max(most, running)
            try:
                pair.wait()
                return super().hash(password, salt=salt)
            finally:
                with lock:
                    running -= 1

    passwords = Passwords(Counting(time_cost=1, memory_cost=1024, parallelism=1))
    await asyncio.gather(*(passwords.hash("x") for _ in range(20)))
    assert most == 2


async def test_nobody_costs_as_much_as_somebody() -> None:
    """The same hash is computed for a name that is not here (safety S10)."""
    checked: list[str] = []

    class Noting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            checked.append(str(hash).rpartition("$")[0].rpartition("$")[0])
            return super().verify(hash, password)

    passwords = Passwords(Noting(time_cost=1, memory_cost=8, parallelism=1))
    kept = await passwords.hash("right")
    assert await passwords.fits("right", kept)
    assert not await passwords.fits("wrong", kept)
    assert not await passwords.fits("wrong", None)
    assert len(checked) == 3
    assert len(set(checked)) == 1


def test_the_hash_is_argon2id_with_enough_work() -> None:
    """OWASP's least: 19 MiB twice, or 46 MiB once (safety S08)."""
    used = PasswordHasher()
    assert used.type.name == "ID"
    assert used.memory_cost >= 19 * 1024
    assert used.time_cost * used.memory_cost >= 2 * 19 * 1024
