"""Passwords that are tried first: a short list and the patterns behind it (safety 0.5f; ASVS 6.2).

Whole lists of leaked passwords have millions; nearly all of them that people still choose are a
well-known word with digits around it, a walk over the keyboard, or one piece repeated.
"""

import re

#: Words that leaked lists are made of; digits and signs around them do not help.
_LIST = """
    password passwort passw0rd p@ssword p@ssw0rd pa55word pa55w0rd pass passwd letmein welcome
    willkommen admin administrator superadmin root toor user guest test tester testing demo
    default changeme changeit change secret geheim hello hallo login master monkey dragon
    sunshine princess football baseball basketball soccer hockey superman batman spiderman
    pokemon starwars trustno iloveyou ichliebedich teamo loveme lovely flower shadow michael
    jordan jennifer jessica ashley daniel charlie thomas michelle nicole hunter killer pepper
    ginger cookie summer winter spring autumn freedom whatever computer internet samsung apple
    google facebook linkedin minecraft fortnite blink mustang ferrari porsche mercedes corvette
    harley yankees lakers chelsea liverpool arsenal barcelona maggie bailey buster tigger
    purple orange silver golden diamond angel angels heaven jesus christ blessed matrix merlin
    gandalf access server service support manager operator printer octoprint octopi odin gantry
    klipper marlin prusa creality ender voron bambu raspberry raspberrypi filament
"""
_WORDS = frozenset(_LIST.split())
_WALKS = (
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "q1w2e3r4t5y6u7i8o9p0",
    "1q2w3e4r5t6y7u8i9o0p",
    "qazwsxedcrfvtgbyhnujm",
    "qweasdzxc",
    "asdqwezxc",
    "147258369",
    "789456123",
    "123321",
    "741852963",
    "159753",
    "password",
)
_EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def is_guessable(password: str, *names: str) -> bool:
    """Whether *password* is one of those that are tried first, by who knows these *names*: of the
    person, and of the farm.
    """
    plain = password.casefold()
    word = _EDGES.sub("", plain)
    if word in _WORDS or (not word and len(set(plain)) < 5):
        return True
    if any(_is_name(plain, word, name.casefold()) for name in names):
        return True
    return _repeats(plain) or _walks(plain)


def _is_name(plain: str, word: str, name: str) -> bool:
    """Whether it is *name*, also backwards, without its blanks, or with something around it."""
    spelled = {name, "".join(name.split())} - {""}
    bare = {_EDGES.sub("", one) for one in spelled} - {""}
    return plain in spelled | {one[::-1] for one in spelled} or word in bare


def _repeats(text: str) -> bool:
    """Whether *text* is one piece of up to four characters, again and again."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, 5))


def _walks(text: str) -> bool:
    """Whether *text* follows the keyboard or a sequence, whole or in two halves, either way."""
    half = len(text) // 2
    pieces = ((text,), (text[:half], text[half:]))
    return any(all(map(_is_walk, piece)) for piece in pieces)


def _is_walk(piece: str) -> bool:
    return any(piece in walk or piece[::-1] in walk for walk in _WALKS)
