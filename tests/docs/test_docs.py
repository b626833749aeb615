"""The documents stay true: ids, tests, files, links, settings and commands are checked."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections import Counter
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from models.settings import Settings
from starter import cli

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "samples").rglob("*.md"),
    ]
)
# Everything that the source documents ask for: letter and how many ids it has.
IDS = {
    part[0]: int(part[1:])
    for part in (
        "A14 B10 C8 D9 E15 F3 G8 H7 I8 J13 K10 L15 N4 O5 P4 Q7 R3 S5 T6 U7 V4 W3 X19".split()  # noqa: SIM905
    )
}
NOT_YET = re.compile(r"not yet \((?:issue \d+|no issue yet)\)")
# Where packages and images come from, and what stands on one machine only.
FORBIDDEN = re.compile(
    r"pypi\.org|pythonhosted|npmjs|docker\.io|ghcr\.io|quay\.io|/root/|/home/|/work/|localhost:\d"
)


def name_of(document: Path) -> str:
    """Name a document in the list of tests."""
    return str(document.relative_to(ROOT))


def coverage_rows() -> list[list[str]]:
    """The rows of the coverage table: id, what, where, test."""
    lines = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8").splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line[:1] == "|"]
    return [row for row in cells if re.fullmatch(r"[A-Z]\d+", row[0])]


@cache
def functions_of(path: Path) -> frozenset[str]:
    """The names of the test functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def test_every_id_has_one_row() -> None:
    """Nothing that was asked for is forgotten, nothing stands twice, nothing is invented."""
    asked = [f"{letter}{number}" for letter, most in IDS.items() for number in range(1, most + 1)]
    assert Counter(row[0] for row in coverage_rows()) == Counter(asked)


def test_every_row_names_a_test_or_says_not_yet() -> None:
    """A row without a test is not done; one that is not done says which issue does it."""
    silent = [
        row[0]
        for row in coverage_rows()
        if len(row) != 4 or not ("::test_" in row[3] or NOT_YET.search(row[3]))
    ]
    assert silent == []


def test_the_layout_of_the_design_card() -> None:
    """The rooms and packages that the design card names are there (W3)."""
    wanted = ["workflows", "activities", "worker.py", "starter", "models", "docker-compose.yml"]
    assert [
        name for name in [*wanted, "tests", "pyproject.toml"] if not (ROOT / name).exists()
    ] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    packages = {re.split(r"[\[<>=;]", one)[0] for one in needed}
    card = {"temporalio", "sqlmodel", "asyncpg", "httpx", "pydantic-settings", "jinja2"}
    assert card | {"pytest-asyncio"} <= packages


def test_the_sum_of_the_coverage_is_right() -> None:
    """The sentence above the table counts what the table says."""
    rows = coverage_rows()
    shown = sum("::test_" in row[3] for row in rows)
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert f"{shown} of {len(rows)} items are shown by a test." in text


def test_every_named_test_exists() -> None:
    """A renamed test breaks the table at once."""
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text))
    assert named
    missing = [
        f"{file}::{test}"
        for file, test in sorted(named)
        if not (ROOT / file).exists() or test not in functions_of(ROOT / file)
    ]
    assert missing == []


def test_every_test_of_the_table_is_written_in_full() -> None:
    """Abbreviations would escape the check above."""
    for row in coverage_rows():
        assert row[3].count("::test_") == len(re.findall(r"`tests/[\w/]+\.py::test_\w+`", row[3]))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_named_files_exist(document: Path) -> None:
    """Paths of our own that stand in backticks are there."""
    rooms = "domain|models|connectors|documents|activities|workflows|starter|migrations|docs|samples|tests"
    text = document.read_text(encoding="utf-8")
    paths = re.findall(rf"`((?:{rooms})/[\w./-]+\.(?:py|md|ya?ml|json|txt|typ))(?:::\w+)?`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def _anchors(document: Path) -> set[str]:
    titles = re.findall(r"(?m)^#+ (.+)$", document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", t.lower()).strip().replace(" ", "-") for t in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_resolve(document: Path) -> None:
    """Links to files and headings of ours lead somewhere."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if re.match(r"https?:|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_registry_and_no_machine_is_named(document: Path) -> None:
    """Documents hold on every machine."""
    assert FORBIDDEN.findall(document.read_text(encoding="utf-8")) == []


def test_every_setting_stands_in_the_example_with_its_default() -> None:
    """`.env.example` is the list of the settings: none is missing, none is left over."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = dict(re.findall(r"(?m)^#?(ZAHLTAG_\w+)=(.*)$", text))
    defaults = {}
    for name, field in Settings.model_fields.items():
        value = field.default
        if hasattr(value, "get_secret_value"):
            value = value.get_secret_value()
        shown = "" if value is None else str(value).lower() if value is False else str(value)
        defaults[f"ZAHLTAG_{name.upper()}"] = shown
    assert listed == defaults


def test_the_readme_s_make_targets_exist() -> None:
    """`make X` of any document is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile))
    for document in DOCUMENTS:
        named = re.findall(r"(?m)(?:`|^|\$ )make ([a-z]+)", document.read_text(encoding="utf-8"))
        assert set(named) <= targets, document


def test_ci_runs_the_checks_and_the_readme_s_test_command() -> None:
    """What the README says is what CI does."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert [line for line in script.splitlines() if line.startswith("make")] == [
        "make check",
        "make test",
    ]
    assert "`make test`" in (ROOT / "README.md").read_text(encoding="utf-8")


@cache
def _commands() -> Any:
    for module in cli.MODULES:
        import_module(f"starter.cli.{module}").register(cli.app)
    return typer.main.get_command(cli.app)


def _spoken(document: Path) -> list[str]:
    """Every `zahltag ...` of a document: commands on lines of code blocks, and in backticks."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"(?ms)^```[a-z]*\n(.*?)^```", text)
    block_lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    told = [re.match(r"(?:\$ )?(?:\.venv/bin/)?(zahltag .+)", line) for line in block_lines]
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    inline = re.findall(r"`(?:\.venv/bin/)?(zahltag [^`]+)`", prose)
    return [found[1] for found in told if found] + inline


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_commands_exist(document: Path) -> None:
    """Every command and every option that a document names is one of the command line's."""
    wrong = []
    for line in _spoken(document):
        words = shlex.split(line.split(" | ")[0].split(" > ")[0], comments=True)[1:]
        command = _commands()
        options = {"--help"} | {o for p in command.params for o in p.opts}
        for position, word in enumerate(words):
            if word.startswith("--"):
                if word.partition("=")[0] not in options:
                    wrong.append(f"{line}: {word}")
            elif group := getattr(command, "commands", None):
                if word in group:
                    command = group[word]
                    options |= {o for p in command.params for o in p.opts}
                elif not (position and words[position - 1] in {"--data-dir", "--as"}):
                    wrong.append(f"{line}: {word}")
                    break
    assert wrong == []
