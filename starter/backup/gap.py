"""What may have left the house between a backup and its restore: decided, not guessed."""

from __future__ import annotations

from domain.errors import RefusedError
from starter.backup.manifest import Story

NONE = "none"


def nothing_since(backup: Story, replaced: Story | None, said: str | None) -> bool:
    """Whether it is known that no invoice went out after the backup.

    ``said`` is the last number that went out, as a person says. Else the database that is
    ``replaced`` knows, if it is the same installation and was not restored in between. What
    contradicts either is a RefusedError.
    """
    last = backup.last_invoice or NONE
    same = _same(backup, replaced)
    if said is None:
        return same and replaced is not None and replaced.last_invoice == backup.last_invoice
    if replaced is not None and same and said != (replaced.last_invoice or NONE):
        raise RefusedError(
            f"The last invoice of the database that is to be replaced is"
            f" {replaced.last_invoice or NONE}, not {said}: name that one, or leave the option out."
        )
    if said != last and not _later(said, last):
        raise RefusedError(
            f"{said} cannot be the last invoice: the last one in the backup is {last}. Name a"
            f" number of that form, the same or a later one, or leave the option out."
        )
    return said == last


def no_notice_since(backup: Story, replaced: Story | None) -> bool:
    """Whether it is known that no notice (Mahnung) went out after the backup.

    Only the database that is replaced knows.
    """
    same = _same(backup, replaced)
    return same and replaced is not None and replaced.notices == backup.notices


def _same(backup: Story, replaced: Story | None) -> bool:
    """Whether they are the same installation, not restored in between."""
    return (
        replaced is not None
        and backup.began is not None
        and (replaced.began, replaced.restores) == (backup.began, backup.restores)
    )


def _later(one: str, other: str) -> bool:
    """Whether a number comes after another; of another series or year it may."""
    series, _, number = one.rpartition("-")
    known, _, last = other.rpartition("-")
    if not series or not number.isdecimal():
        return False
    return series != known or int(number) > int(last)
