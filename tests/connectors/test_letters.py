"""The print spool: once per letter, whatever dies, whoever else writes, and however full the disk."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import letter_spool
from connectors.letter_spool import MANIFEST, LetterSpool, file_name
from connectors.letters import (
    Acceptance,
    Letter,
    LetterNotSentError,
    LetterOutcomeUnknownError,
    LetterRefusedError,
    LetterService,
)
from tests.connectors.dying_spool import letter

ROOT = Path(__file__).resolve().parents[2]


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return the manifest."""
    return [json.loads(line) for line in (folder / MANIFEST).read_text("utf-8").splitlines()]


def visible(folder: Path) -> list[str]:
    """Return what a print service sees."""
    return sorted(path.name for path in folder.glob("[!.]*.pdf"))


async def test_a_letter_is_a_file_and_a_line(tmp_path: Path) -> None:
    """With everything that a print service needs to know."""
    spool: LetterService = LetterSpool(tmp_path)
    assert await spool.accepted("M-7") is Acceptance.NO

    await spool.send(
        Letter("M-7", b"%PDF", ("Jörg Weiß", "Gasse 1", "1010 Wien"), "AT", 3,
               datetime(2026, 11, 22, 9, 30, tzinfo=UTC), registered=True)
    )  # fmt: skip

    assert await spool.accepted("M-7") is Acceptance.YES
    assert (tmp_path / "M-7.pdf").read_bytes() == b"%PDF"
    (line,) = lines(tmp_path)
    assert line == {
        "reference": "M-7",
        "file": "M-7.pdf",
        "sha256": hashlib.sha256(b"%PDF").hexdigest(),
        "recipient": ["Jörg Weiß", "Gasse 1", "1010 Wien"],
        "country": "AT",
        "registered": True,
        "pages": 3,
        "created": "2026-11-22T09:30:00+00:00",
    }


async def test_the_same_letter_again_changes_nothing(tmp_path: Path) -> None:
    """Also by another process, and after the print service has taken the file away."""
    await LetterSpool(tmp_path).send(letter())
    (tmp_path / "M-1.pdf").unlink()
    spool = LetterSpool(tmp_path)

    await spool.send(letter())
    await spool.send(letter())

    assert len(lines(tmp_path)) == 1
    assert visible(tmp_path) == []
    assert await spool.accepted("M-1") is Acceptance.YES


async def test_another_letter_under_a_known_reference_is_refused(tmp_path: Path) -> None:
    """Nobody is told that a letter went out which did not."""
    spool = LetterSpool(tmp_path)
    await spool.send(letter())

    with pytest.raises(LetterRefusedError, match="another letter was printed as M-1"):
        await spool.send(letter(pdf=b"%PDF another"))

    assert (tmp_path / "M-1.pdf").read_bytes() == letter().pdf


async def test_two_spools_see_each_other_s_letters(tmp_path: Path) -> None:
    """What was read before is read on, not trusted to be all."""
    one, two = LetterSpool(tmp_path), LetterSpool(tmp_path)
    for number in range(6):
        await (one, two)[number % 2].send(letter(f"M-{number}"))

    assert [await one.accepted(f"M-{n}") for n in range(7)] == [Acceptance.YES] * 6 + [
        Acceptance.NO
    ]
    assert len(lines(tmp_path)) == 6


def test_killed_at_every_step_it_is_there_once_or_not_at_all(tmp_path: Path) -> None:
    """A PDF that can be seen has its line; the next attempt makes it one letter, whole."""
    command = [sys.executable, "-m", "tests.connectors.dying_spool", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=100)
    moments = sorted(tmp_path.iterdir())
    answers = set()

    for folder in moments:
        whole = [line for line in (folder / MANIFEST).read_text("utf-8").split("\n")[:-1] if line]
        listed = {json.loads(line)["file"] for line in whole}
        assert set(visible(folder)) <= listed, folder
        answer = asyncio.run(LetterSpool(folder).accepted("M-1"))
        answers.add(answer)
        assert (answer is Acceptance.YES) == (visible(folder) == ["M-0.pdf", "M-1.pdf"]), folder
        asyncio.run(LetterSpool(folder).send(letter()))
        assert [line["reference"] for line in lines(folder)] == ["M-0", "M-1"], folder
        assert (folder / "M-1.pdf").read_bytes() == letter().pdf
        assert sorted(os.listdir(folder)) == [".lock", "M-0.pdf", "M-1.pdf", MANIFEST]  # noqa: PTH208

    assert len(moments) > 12
    assert answers == {Acceptance.YES, Acceptance.NO}


def test_processes_at_once_print_each_letter_once(tmp_path: Path) -> None:
    """Four writers, the same twenty letters."""
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from connectors.letter_spool import LetterSpool\n"
        "from tests.connectors.dying_spool import letter\n"
        "async def main():\n"
        "    spool = LetterSpool(Path(sys.argv[1]))\n"
        "    await asyncio.gather(*(spool.send(letter(f'M-{n}')) for n in range(20)))\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    writers = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]

    assert [writer.wait(timeout=100) for writer in writers] == [0] * 4
    assert sorted(line["reference"] for line in lines(tmp_path)) == sorted(
        f"M-{number}" for number in range(20)
    )
    assert len(visible(tmp_path)) == 20


@pytest.mark.parametrize("torn", [b'{"reference": "M-2", "fi', b"{" * 9000, b'{"a": 1}\n{"refer'])
async def test_half_a_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    """Whatever its length; whole lines stay."""
    spool = LetterSpool(tmp_path)
    await spool.send(letter())
    with (tmp_path / MANIFEST).open("ab") as manifest:
        manifest.write(torn)

    await spool.send(letter("M-2"))

    found = [line.get("reference") for line in lines(tmp_path)]
    assert found == ["M-1", *([None] if b"\n" in torn else []), "M-2"]


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_full_disk_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, nth: int
) -> None:
    """The letter is in plain words not sent; when there is room again, it goes."""
    spool = LetterSpool(tmp_path)
    await spool.send(letter("M-0"))
    before = (tmp_path / MANIFEST).read_bytes()
    real, calls = getattr(os, step), []

    def full(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == nth:
            if step == "write":
                real(args[0], bytes(args[1])[:5])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(letter_spool.os, step, full)
        if (step, nth) in {("write", 3), ("replace", 2), ("replace", 3)}:
            await spool.send(letter())  # there are no so many steps
            return
        with pytest.raises(LetterNotSentError, match="disk that is full"):
            await spool.send(letter())

    assert (tmp_path / MANIFEST).read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == [".lock", "M-0.pdf", MANIFEST]  # noqa: PTH208
    assert await spool.accepted("M-1") is Acceptance.NO
    await spool.send(letter())
    assert len(lines(tmp_path)) == 2


async def test_a_disk_that_fails_altogether_leaves_the_question_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the way back works: nobody says "not sent", and the manifest tells later."""
    spool = LetterSpool(tmp_path)
    await spool.send(letter("M-0"))

    def failing(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(letter_spool.os, "replace", failing)
        patched.setattr(letter_spool.os, "ftruncate", failing)
        with pytest.raises(LetterOutcomeUnknownError):
            await spool.send(letter())
        assert await spool.accepted("M-1") is Acceptance.UNKNOWN

    assert await spool.accepted("M-1") is Acceptance.YES
    assert visible(tmp_path) == ["M-0.pdf", "M-1.pdf"]


@pytest.mark.parametrize("folder", ["missing", "file", "unset"])
async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, folder: str) -> None:
    """It is not made: an unmounted share would be replaced by a folder nobody empties."""
    (tmp_path / "file").write_text("x")
    spool = LetterSpool(None if folder == "unset" else tmp_path / folder)

    with pytest.raises(LetterNotSentError, match=r"does not exist|is no folder|SPOOL_DIR") as found:
        await spool.send(letter())

    assert "Brandt" not in str(found.value)
    assert not (tmp_path / "missing").exists()
    assert await spool.accepted("M-1") is Acceptance.UNKNOWN


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EDQUOT, errno.ESTALE])
async def test_why_a_folder_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """With what to do, whatever the system calls it."""

    def refused(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(letter_spool.os, "open", refused)
    words = r"owner or mode|read-only|quota|cannot be used"
    with pytest.raises(LetterNotSentError, match=words):
        await LetterSpool(tmp_path).send(letter())


async def test_who_holds_the_spool_too_long_is_not_waited_for(tmp_path: Path) -> None:
    """A later attempt will do."""
    holder = LetterSpool(tmp_path)
    with holder._held(), pytest.raises(LetterNotSentError, match="held by another process"):
        await LetterSpool(tmp_path, patience=0).send(letter())


@pytest.mark.parametrize(
    ("reference", "name"),
    [("M-2026-00012", "M-2026-00012.pdf"), ("../../etc/x", "_"), ("M/1", "M_1-"), ("", "letter-")],
)
def test_a_file_name_stays_in_the_folder(reference: str, name: str) -> None:
    """Different references, different files."""
    found = file_name(reference)

    assert found.startswith(name)
    assert "/" not in found
    assert file_name("M/1") != file_name("M_1")


async def test_a_manifest_that_was_taken_away_is_begun_anew(tmp_path: Path) -> None:
    """Somebody archived it: what it said is forgotten, no old line is believed."""
    spool = LetterSpool(tmp_path)
    await spool.send(letter())
    (tmp_path / MANIFEST).rename(tmp_path / "2026.jsonl")

    assert await spool.accepted("M-1") is Acceptance.NO
    await spool.send(letter("M-2"))
    assert [line["reference"] for line in lines(tmp_path)] == ["M-2"]
