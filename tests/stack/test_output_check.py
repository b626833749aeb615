"""The doctor and the command line name a spool and texts that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.settings import Settings
from starter.cli import template
from starter.stack.output_check import check_output


async def test_no_folders_are_no_fault() -> None:
    """A company may send no letters and like our texts."""
    assert [check.ok for check in await check_output(Settings())] == [True, True]


async def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    """With what to do."""
    own = tmp_path / "notices" / "de" / "first_notice.j2"
    own.parent.mkdir(parents=True)
    own.write_text("subject: {{ nonsense }}\n")
    given = Settings(letter_spool_dir=tmp_path / "missing", templates_dir=tmp_path)

    letters, texts = await check_output(given)
    assert not letters.ok
    assert "ZAHLTAG_LETTER_SPOOL_DIR" in letters.remedy
    assert not texts.ok
    assert f"{own}:1: there is no 'nonsense'" in texts.finding


def test_texts_are_listed_written_out_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours, then the user's own."""
    monkeypatch.setenv("ZAHLTAG_TEMPLATES_DIR", str(tmp_path))
    run = CliRunner().invoke

    assert run(template.group, ["list", "--json"]).stdout.count('"ours"') == 8
    assert run(template.group, ["export", str(tmp_path)]).exit_code == 0
    assert run(template.group, ["list", "--json"]).stdout.count('"yours"') == 8
    checked = run(template.group, ["check"])
    assert (checked.exit_code, checked.stdout) == (0, "8 texts of yours are in order.\n")
    (tmp_path / "notices" / "en" / "first_notice.j2").write_text("{{")
    assert "first_notice.j2:1:" in str(run(template.group, ["check"]).exception)
