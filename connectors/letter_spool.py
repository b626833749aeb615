"""The print spool: a folder of PDFs with a manifest, one line per letter.

A letter is sent once its line is in ``manifest.jsonl``; that line alone decides, for whoever prints
may take the PDF away. So the order is: the PDF under a hidden name, its line, its visible name. A
PDF that can be seen is never without its line, and a folder that a printer watches never prints a
letter that will come again. What a crash left behind is mended by whoever comes next: half a line
is cut off, a hidden PDF with a line gets its name, one without a line goes.

The lock holds between processes on one machine and on file systems that share ``flock``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import threading
import time
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.letters import (
    Acceptance,
    Letter,
    LetterNotSentError,
    LetterOutcomeUnknownError,
    LetterRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = "manifest.jsonl"
LOCK = ".lock"
# How long to wait for another process that is writing a letter.
PATIENCE = 30.0
_PAUSE = 0.02
_HIDDEN = ".new-"
_FILES = 0o640  # whoever prints reads by the group of the folder
_CAUSES = {
    errno.ENOENT: "does not exist (create it, or mount it)",
    errno.ENOTDIR: "is no folder",
    errno.EACCES: "may not be written by this process (change its owner or mode)",
    errno.EPERM: "may not be written by this process (change its owner or mode)",
    errno.EROFS: "is on a disk that is mounted read-only",
    errno.ENOSPC: "is on a disk that is full (free some space)",
    errno.EDQUOT: "has used up its quota (free some space)",
    errno.EIO: "is on a disk that fails",
}


class LetterSpool:
    """The spool in a folder that must exist: an unmounted share is not to be replaced silently.

    ``None`` stands for no folder; every letter is then refused for now.
    """

    def __init__(self, folder: Path | None, *, patience: float = PATIENCE) -> None:
        self._folder = folder
        self._patience = patience
        # Processes are kept apart by the lock file; threads share what was read.
        self._one = threading.Lock()
        self._read = _Manifest()

    async def send(self, letter: Letter) -> None:
        """Put a letter into the spool, once; it is safe on disk when this returns.

        LetterRefusedError if another letter has this reference, LetterNotSentError if the folder
        cannot be used, LetterOutcomeUnknownError if the disk failed where nothing can be proved.
        """
        await asyncio.to_thread(self._send, letter)

    async def accepted(self, reference: str) -> Acceptance:
        """Say whether the letter is in the manifest; unknown while the folder cannot be used."""
        return await asyncio.to_thread(self._accepted, reference)

    def _send(self, letter: Letter) -> None:
        if letter.created_at.tzinfo is None:
            raise ValueError("the moment of a letter needs a UTC offset")
        digest = hashlib.sha256(letter.pdf).hexdigest()
        with self._held() as folder:
            known = self._read.sha256_of(letter.reference)
            if known == digest:
                return
            if known:
                raise LetterRefusedError(
                    f"another letter was printed as {letter.reference}: it is not sent again"
                )
            _put(folder, letter, digest)

    def _accepted(self, reference: str) -> Acceptance:
        try:
            with self._held():
                return Acceptance.YES if self._read.sha256_of(reference) else Acceptance.NO
        except (LetterNotSentError, LetterOutcomeUnknownError):
            return Acceptance.UNKNOWN

    @contextlib.contextmanager
    def _held(self) -> Iterator[Path]:
        """Hold the folder alone, whole and read; what cannot be used is said in plain words."""
        if self._folder is None:
            raise LetterNotSentError(
                "there is no folder for letters: set ZAHLTAG_LETTER_SPOOL_DIR to one"
            )
        with self._one:
            try:
                lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILES)
            except OSError as error:
                raise _not_sent(self._folder, error) from error
            try:
                self._wait_for(lock)
                try:
                    mend(self._folder)
                    self._read.catch_up(self._folder / MANIFEST)
                except OSError as error:
                    raise _not_sent(self._folder, error) from error
                yield self._folder
            finally:
                os.close(lock)

    def _wait_for(self, lock: int) -> None:
        until = time.monotonic() + self._patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise LetterNotSentError(
                        f"the letter spool {self._folder} is held by another process"
                    ) from None
                time.sleep(_PAUSE)
            else:
                return


class _Manifest:
    """What the manifest says, read on from where it was read last; one process, under the lock."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._inode = 0
        self._read_to = 0

    def sha256_of(self, reference: str) -> str:
        """Return the digest of the letter with this reference; empty if there is none."""
        return self._known.get(reference, "")

    def catch_up(self, manifest: Path) -> None:
        """Read what was added; read anew if the file was exchanged or taken away."""
        try:
            file = manifest.open("rb")
        except FileNotFoundError:
            self._known, self._inode, self._read_to = {}, 0, 0
            return
        with file:
            found = os.fstat(file.fileno())
            if found.st_ino != self._inode or found.st_size < self._read_to:
                self._known, self._inode, self._read_to = {}, found.st_ino, 0
            file.seek(self._read_to)
            for line in file:
                self._read_to += len(line)
                with contextlib.suppress(ValueError, KeyError, TypeError):  # a person's own line
                    entry = json.loads(line)
                    self._known[entry["reference"]] = entry["sha256"]


def file_name(reference: str) -> str:
    """Name the PDF of a reference; what no file system likes is replaced, never two names one."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", reference).strip(".")[:80]
    if safe and safe == reference:
        return f"{safe}.pdf"
    return f"{safe or 'letter'}-{hashlib.sha256(reference.encode()).hexdigest()[:8]}.pdf"


def mend(folder: Path) -> None:
    """Finish or take back what a crash has left behind; the caller holds the lock."""
    hidden = [name for name in os.listdir(folder) if name.startswith(_HIDDEN)]  # noqa: PTH208
    listed = _cut_off_half_a_line(folder / MANIFEST, wanted=bool(hidden))
    for name in hidden:
        if name.removeprefix(_HIDDEN) in listed:
            os.replace(folder / name, folder / name.removeprefix(_HIDDEN))  # noqa: PTH105
        else:
            os.unlink(folder / name)  # noqa: PTH108
    if hidden:
        _sync(folder)


def _cut_off_half_a_line(manifest: Path, *, wanted: bool) -> set[str]:
    """Make the manifest end with a whole line; return the files that it lists, if wanted."""
    try:
        descriptor = os.open(manifest, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return set()
    try:
        size = end = os.fstat(descriptor).st_size
        while end and os.pread(descriptor, 1, end - 1) != b"\n":
            chunk = os.pread(descriptor, min(end, 4096), max(0, end - 4096))
            end = max(0, end - 4096) + chunk.rfind(b"\n") + 1
        if end < size:
            os.ftruncate(descriptor, end)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if not wanted:
        return set()
    names = set[str]()
    for line in manifest.read_bytes().splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            names.add(json.loads(line)["file"])
    return names


def _put(folder: Path, letter: Letter, digest: str) -> None:
    """Write the PDF, its line, its name; whatever fails before the name takes all of it back."""
    name = file_name(letter.reference)
    hidden = folder / f"{_HIDDEN}{name}"
    manifest = folder / MANIFEST
    before = manifest.stat().st_size if manifest.exists() else 0
    try:
        _write(hidden, letter.pdf, os.O_EXCL)
        _sync(folder)
        _write(manifest, _line(letter, name, digest), os.O_APPEND)
        if not before:
            _sync(folder)  # the manifest itself is new
        os.replace(hidden, folder / name)  # noqa: PTH105
    except OSError as error:
        _take_back(manifest, before, hidden, error)
        raise _not_sent(folder, error) from error
    try:
        _sync(folder)
    except OSError as error:
        raise LetterOutcomeUnknownError(
            f"the letter spool {folder} failed after the letter was in it"
        ) from error


def _take_back(manifest: Path, before: int, hidden: Path, error: OSError) -> None:
    """Leave nothing half done; where that fails too, only the manifest can tell, later."""
    try:
        with contextlib.suppress(FileNotFoundError):
            _truncate(manifest, before)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(hidden)  # noqa: PTH108
    except OSError:
        raise LetterOutcomeUnknownError(
            f"the letter spool {manifest.parent} fails: nobody can tell now whether it has the"
            " letter"
        ) from error


def _truncate(path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(letter: Letter, name: str, digest: str) -> bytes:
    entry = {
        "reference": letter.reference,
        "file": name,
        "sha256": digest,
        "recipient": list(letter.recipient),
        "country": letter.country,
        "registered": letter.registered,
        "pages": letter.pages,
        "created": letter.created_at.astimezone(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _write(path: Path, content: bytes, how: int) -> None:
    """Write all of it and see it on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, _FILES)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    """See the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_sent(folder: Path, error: OSError) -> LetterNotSentError:
    cause = _CAUSES.get(error.errno or 0, f"cannot be used ({error.strerror})")
    return LetterNotSentError(
        f"the letter was not sent: the letter spool {folder} {cause}; it goes out by itself then"
    )
