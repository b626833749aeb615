"""The texts of notices as files: ours, or the user's own where there is one of the same name.

``<folder>/notices/<de|en>/<template>.j2`` replaces ours. One text serves mail and letter. A broken
one is refused with file, line and what is allowed, before anything is sent; ours is never taken in
its place, for somebody meant to say something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from domain.dunning.ladder import TEMPLATES
from domain.errors import RefusedError

LANGUAGES = ("de", "en")
ROOM = "notices"
SUFFIX = ".j2"
SHIPPED = Path(__file__).with_name("templates")
LONGEST = 64 * 1024

# No value can contain these: values are cleaned of control characters.
INVOICES, PAYMENT = "\x01", "\x02"

VARIABLES: Mapping[str, str] = {
    "name": "the person's name, else the company's; may be empty",
    "company": "our name",
    "customer_no": "the customer number",
    "reference": "our reference of this notice",
    "level": "the level (Mahnstufe) that this notice brings the customer to",
    "count": "how many invoices are listed",
    "invoice_no": "the invoice number if there is one invoice, else empty",
    "oldest_due_date": "the due date that passed first",
    "total": "the sum of what is open",
    "amount": "what is asked for now: the sum, or what was agreed",
    "deadline": "the last day to pay, a working day",
    "sent_on": "the day of the notice",
    "repeats": "true if every invoice was named in a notice before",
    "consumer": "true for a consumer, false for a business",
    "letter": "true in a letter, false in a mail",
    "attached": "true in a mail that brings the notice as PDF",
    "qr_code": "true where the letter or the attached PDF has a QR code",
    "registered": "true for registered mail",
    "contact": "our phone number and e-mail address, as far as known",
    "phone": "our phone number; may be empty",
    "email": "our e-mail address",
    "gdpr": "true where the General Data Protection Regulation holds (not for Swiss companies)",
    "agreed_date": "the agreed payment date, the first of several; else empty",
    "several": "true if several agreed payments are reminded of",
    "missed": "true if an agreed date has passed",
    "invoices": "the table of invoices with its sum; once, alone in a paragraph",
    "payment": "how to pay: amount, date, account, reference; once, alone in a paragraph",
}


@dataclass(frozen=True, slots=True)
class Template:
    """One text: where it is, and its source."""

    language: str
    name: str
    path: Path
    source: str
    own: bool


class BrokenTemplateError(RefusedError):
    """A text of notices cannot be used; nothing was sent."""

    def __init__(self, path: Path, line: int | None, what: str) -> None:
        self.path, self.line, self.what = path, line, what
        place = f"{path}, line {line}" if line else str(path)
        super().__init__(
            f"The template {place}: {what}. Nothing was sent; `zahltag template check` shows"
            " whether it is mended."
        )


def find(folder: Path | None, language: str, name: str) -> Template:
    """Return the user's own text where there is one, else ours.

    A folder that is set and not there is no reason for ours: it may only not be mounted.
    """
    if folder is not None and not (folder / ROOM).is_dir():
        raise BrokenTemplateError(
            folder, None, f"has no folder {ROOM}: mount it, or correct ZAHLTAG_TEMPLATES_DIR"
        )
    relative = Path(ROOM, language, name + SUFFIX)
    for root in (folder, SHIPPED):
        if root is None:
            continue
        path = root / relative
        try:
            raw = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise BrokenTemplateError(path, None, f"cannot be read ({error.strerror})") from error
        return Template(language, name, path, _decoded(path, raw), own=root is not SHIPPED)
    raise LookupError(f"there is no template {relative}")


def fill(template: Template, values: Mapping[str, object]) -> str:
    """Return the text with its values; BrokenTemplateError says where and why it cannot."""
    code = _compiled(template.path, template.source)
    bare = _environment().template_class.from_code(_environment(), code, {}, None)
    try:
        text = bare.render(values, invoices=INVOICES, payment=PAYMENT)
    except Exception as error:  # a template can raise whatever Python can
        line = _line_of(error, str(template.path))
        said = (
            str(error) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"
        )
        raise BrokenTemplateError(template.path, line, _first_line(said)) from error
    if len(text) > LONGEST:
        raise BrokenTemplateError(template.path, None, "makes a text of more than 64 KiB")
    return text


@lru_cache(maxsize=64)
def _compiled(path: Path, source: str) -> CodeType:
    """Compile a text once; what is wrong with it is said before a value is known."""
    try:
        tree = _environment().parse(source, path.name, str(path))
        for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            raise BrokenTemplateError(path, node.lineno, "a text stands alone and includes nothing")
        _refuse_unknown_names(path, tree)
        return _environment().compile(tree, path.name, str(path))
    except TemplateSyntaxError as error:
        raise BrokenTemplateError(path, error.lineno, _first_line(error.message or "")) from error


def _refuse_unknown_names(path: Path, tree: nodes.Template) -> None:
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in own and name.name not in VARIABLES:
            raise BrokenTemplateError(
                path,
                name.lineno,
                f"there is no {name.name!r}; allowed are {', '.join(VARIABLES)}",
            )


def _decoded(path: Path, raw: bytes) -> str:
    if len(raw) > LONGEST:
        raise BrokenTemplateError(path, None, "is longer than 64 KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BrokenTemplateError(path, line, "is not UTF-8: save it in that encoding") from error
    text = text.replace("\r\n", "\n")
    if odd := re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        line = text[: odd.start()].count("\n") + 1
        raise BrokenTemplateError(path, line, "holds a control character")
    return text


def _line_of(error: BaseException, file: str) -> int | None:
    """Return the line of the template in which it went wrong (Jinja maps its code back)."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["is not understood"])[0].rstrip(".")


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # plain text; the layout makes HTML of it, escaped
    )
    environment.globals.clear()  # no range(), no lipsum(): a text has no use for them
    return environment


def names() -> tuple[tuple[str, str], ...]:
    """Return every text there is: (language, name)."""
    return tuple((language, name) for name in TEMPLATES for language in LANGUAGES)
