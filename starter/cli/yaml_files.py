"""YAML files as people write them: read in one place, refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from domain.errors import RefusedError


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the fields of a YAML file; RefusedError says where it is none."""
    import yaml  # noqa: PLC0415 - slow to import

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        json.dumps(document)
    except TypeError as error:  # an unquoted date
        raise RefusedError(f"{file}: put dates in quotes; nothing was changed.") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" (line {place.line + 1})" if place else ""
        raise RefusedError(f"{file} is not YAML in UTF-8{where}; nothing was changed.") from error
    if not isinstance(document, dict):
        raise RefusedError(f"{file} holds no fields (name: value); nothing was changed.")
    return document
