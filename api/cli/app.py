"""``python -m api COMMAND``: what a person with a shell on the server does to a farm.

exit status: 0 done, 1 it was looked at and something is wrong, 2 wrong arguments or settings,
3 refused (somebody or something is in the way, nothing was changed), 5 the database or the disk
cannot be used.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from api import VERSION
from api.accounts.console import Console
from api.cli import backup as archive
from api.cli.manifest import BrokenBackup
from api.cli.people import allow_all as open_the_door
from api.cli.people import with_console
from api.cli.shown import complain, result, stages
from api.config import SettingError, Settings, load
from api.db import DatabaseUnusable
from api.errors import Conflict, Problem
from api.migrate import MigrationFailed, place
from api.migrate import migrate as bring_up_to_date
from api.running import InUse

EXIT_WRONG = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_DATABASE = 5

app = typer.Typer(
    help="Commands for the server's shell. Settings come from GANTRY_… as for the API itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Data = Annotated[
    Path | None, typer.Option("--data", help="Data directory (GANTRY_DATA_DIR; ./data).")
]
Database = Annotated[
    str | None,
    typer.Option("--database-url", help="Instead of SQLite there (GANTRY_DATABASE_URL)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin; else it is asked.")
]
Email = Annotated[str, typer.Option(help="For mail about the account.")]
Username = Annotated[str, typer.Argument(help="The name to log in with.")]


@app.command("create-admin", epilog="Example: python -m api create-admin ada --email ada@farm.org")
def create_admin(
    username: Username,
    *,
    email: Email = "",
    password_stdin: FromStdin = False,
    data: Data = None,
    database_url: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make an admin who may do everything; on an empty farm this is the set-up."""
    settings = _farm_at(data, database_url)
    password = _password(from_stdin=password_stdin)
    user_id = _console(settings, lambda it: it.create_admin(username, email, password))
    facts = {"user_id": user_id, "username": username}
    result(f"{username} is an admin now (user {user_id}).", facts, as_json=as_json)


@app.command(
    "reset-password",
    epilog="Example: pass show farm/ada | python -m api reset-password ada --password-stdin",
)
def reset_password(
    username: Username,
    *,
    password_stdin: FromStdin = False,
    forget_second_factor: Annotated[
        bool, typer.Option(help="Also remove the second factor, of a lost phone for example.")
    ] = False,
    data: Data = None,
    database_url: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody another password; all their sessions end."""
    settings = _farm_at(data, database_url)
    password = _password(from_stdin=password_stdin)
    user_id = _console(
        settings,
        lambda it: it.reset_password(username, password, forget_second_factor=forget_second_factor),
    )
    facts = {"user_id": user_id, "username": username}
    result(f"{username} has another password.", facts, as_json=as_json)


@app.command("allow-all", epilog="Example: python -m api allow-all --data /var/lib/gantry")
def allow_all(data: Data = None, database_url: Database = None, as_json: AsJson = False) -> None:
    """Switch the list of allowed addresses off, for who is locked out by it."""
    settings = _farm_at(data, database_url)
    asyncio.run(open_the_door(settings))
    result("Everybody may come in again.", {"enabled": False}, as_json=as_json)


@app.command(epilog="Example: python -m api migrate --data /var/lib/gantry")
def migrate(data: Data = None, database_url: Database = None, as_json: AsJson = False) -> None:
    """Bring the tables up to date; safe to run at every start."""
    settings = load(data_dir=data, database_url=database_url)
    applied = asyncio.run(bring_up_to_date(settings))
    lines = [*(f"applied {name}" for name in applied), f"{place(settings)} is up to date"]
    result("\n".join(lines), {"applied": applied, "database": place(settings)}, as_json=as_json)


@app.command(epilog="Example: python -m api backup /backups/$(date +%F)")
def backup(
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Copy rows, keys and files into a new folder, with their SHA-256. The farm may run.

    For a farm on PostgreSQL use pg_dump, and copy the file storage after it. The copy holds
    everything that the farm knows, keys included: keep it as safe as the farm.
    """
    settings = load(data_dir=data)
    with stages(quiet=as_json) as stage:
        made = archive.make(settings, target.absolute(), VERSION, stage)
    facts = {
        "target": str(target.absolute()),
        "files": len(made.items),
        "size_bytes": made.size_bytes,
        "missing": made.missing,
    }
    text = f"{target}: {len(made.items)} files, {made.size_bytes / 1e6:.1f} MB"
    result(text, facts, as_json=as_json)
    if made.missing:
        complain(f"{len(made.missing)} files that rows name are gone or damaged: see `check`.")
        raise typer.Exit(EXIT_WRONG)


@app.command(epilog="Example: python -m api restore /backups/2026-11-22 --data /var/lib/gantry")
def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `backup` made.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put a farm that is there aside (it is kept).")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup back. It is read and compared whole before anything is touched.

    Refused while a farm runs on the data directory.
    """
    settings = load(data_dir=data)
    with stages(quiet=as_json) as stage:
        found, kept = archive.restore(settings, source, replace=replace, stage=stage)
    text = f"{settings.data_dir}: restored what was backed up at {found.made_at}."
    if kept is not None:
        text += f" What was there before is in {kept}."
    text += " Run `python -m api migrate` if this is a later version."
    facts = {
        "made_at": found.made_at,
        "files": len(found.items),
        "kept": str(kept) if kept else None,
    }
    result(text, facts, as_json=as_json)


@app.command(epilog="Example: python -m api check --contents --json")
def check(
    contents: Annotated[
        bool, typer.Option("--contents", help="Also read every byte of every file.")
    ] = False,
    data: Data = None,
    database_url: Database = None,
    as_json: AsJson = False,
) -> None:
    """Look whether database and files are whole and belong together; nothing is changed."""
    from api.cli.checking import check as look

    settings = _farm_at(data, database_url)
    with stages(quiet=as_json) as stage:
        report = asyncio.run(look(settings, contents=contents, stage=stage))
    facts = {
        "ok": not report.problems,
        "files": report.files,
        "files_bytes": report.files_bytes,
        "problems": report.problems,
    }
    all_well = f"all is well: {report.files} files, {report.files_bytes / 1e6:.1f} MB"
    result("\n".join(report.problems) or all_well, facts, as_json=as_json)
    if report.problems:
        raise typer.Exit(EXIT_WRONG)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    os.umask(0o077)  # what we write is for this user alone
    try:
        app(args=None if arguments is None else [*arguments], prog_name="python -m api")
    except SystemExit as ended:  # of the command line itself: --help, a wrong option, `Exit`
        return ended.code if isinstance(ended.code, int) else 0
    except tuple(kind for kind, _ in _EXITS) as error:
        complain(str(error))
        return next(status for kind, status in _EXITS if isinstance(error, kind))
    return 0


#: What is told in one line, and the exit status.
_EXITS: tuple[tuple[type[Exception], int], ...] = (
    (SettingError, EXIT_USAGE),
    (archive.Unfit, EXIT_USAGE),
    (InUse, EXIT_REFUSED),
    (archive.Occupied, EXIT_REFUSED),
    (Conflict, EXIT_REFUSED),
    (BrokenBackup, EXIT_WRONG),
    (MigrationFailed, EXIT_WRONG),
    (Problem, EXIT_USAGE),
    (DatabaseUnusable, EXIT_DATABASE),
    (sqlite3.Error, EXIT_DATABASE),
    (OSError, EXIT_DATABASE),
)


def _farm_at(data: Path | None, database_url: str | None) -> Settings:
    """The settings of a farm that is there: a name that was mistyped makes no empty one.

    Raises `Unfit`, and what `load` raises.
    """
    settings = load(data_dir=data, database_url=database_url)
    path = Path(settings.database.removeprefix("sqlite://").partition("?")[0])
    if not settings.uses_postgres and not path.exists() and not settings.data_dir.is_file():
        raise archive.Unfit(
            f"there is no farm in {settings.data_dir}: {path} does not exist. "
            "`python -m api migrate` makes an empty one there."
        )
    return settings


def _console(settings: Settings, work: Callable[[Console], Awaitable[int]]) -> int:
    return asyncio.run(with_console(settings, work))


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed
