"""Rule files in YAML: read strictly, so that no key and no operator is lost without a word."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from domain.errors import RefusedError

SHIPPED = Path(__file__).resolve().parent.parent / "samples" / "rules"


class _Loader(yaml.SafeLoader):
    """Reads ``=`` and dates as text, and refuses a key given twice and aliases.

    YAML 1.1 makes types of their own of both; a rule file says itself what is wrong with a date.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - the base has it so
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(
                problem="an alias (*) is not taken: write it out", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key} stands twice", problem_mark=key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else None)
        return super().construct_mapping(node, deep)


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:value", _text)


def read_rule_file(path: Path) -> dict[str, Any]:
    """Return the fields of a rule file; RefusedError that says where it is not one."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)  # noqa: S506 - it is safe
    except UnicodeDecodeError as error:
        raise RefusedError(f"{path} is not in UTF-8; nothing was changed.") from error
    except RecursionError as error:
        raise RefusedError(f"{path} is nested too deeply; nothing was changed.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}: {getattr(error, 'problem', '')})" if mark else ""
        raise RefusedError(
            f"{path} is not a rule in YAML{where}; put operators in quotes, such as"
            ' operator: ">=". Nothing was changed.'
        ) from error
    if not isinstance(document, dict):
        raise RefusedError(f"{path} holds no fields (name: value); nothing was changed.")
    return document


@cache
def shipped_rules() -> tuple[Mapping[str, Any], ...]:
    """Return the five rules that come with Zahltag, in their order (J12)."""
    return tuple(read_rule_file(path) for path in sorted(SHIPPED.glob("*.yaml")))
