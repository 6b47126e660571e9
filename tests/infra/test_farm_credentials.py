"""The farm's kept credentials: private, and forgiving about a broken file."""

import stat
from pathlib import Path

from infra.farm.credentials import Credentials, load, new_password, save


def test_kept_credentials_are_private_and_come_back(tmp_path: Path) -> None:
    """Mode 0600, whole or not at all."""
    known = Credentials(password="p", token="t", octoprint_keys={"sim1": "k"})
    save(tmp_path, known)
    assert load(tmp_path) == known
    mode = stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode)
    assert mode == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["credentials.json"]


def test_broken_file_counts_as_none(tmp_path: Path) -> None:
    """A damaged file is not a crash."""
    (tmp_path / "credentials.json").write_text("{", encoding="utf-8")
    assert load(tmp_path) is None


def test_new_passwords_pass_the_rules_and_differ() -> None:
    """Upper, lower and digit, long enough, never twice."""
    made = {new_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert len(password) >= 12
        assert any(c.isupper() for c in password) and any(c.isdigit() for c in password)
