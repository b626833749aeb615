"""How one value of an outside document is read: what is taken, and what is expected otherwise.

Each ``Conversion`` reads a JSON value or raises ValueError, says in words what it expects, and
knows the JSON Schema of what it takes, so that the published schemas cannot drift from the code.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from domain.money import CURRENCIES
from domain.texts import tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMIT = Decimal(10) ** 9
_MOST_DECIMALS = 12
_NUMBER = r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,12})?"
_NUMBER_TEXT = re.compile(rf"\s*-?{_NUMBER}\s*")
_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
_NO_CONTROLS = f"^[^{_CONTROLS}]*$"
FORBIDDEN = re.compile(rf"[{_CONTROLS}\ud800-\udfff]")
_OFFSET = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_DATE = r"2[0-9]{3}-[0-9]{2}-[0-9]{2}"
_DATE_TIME = r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
_MOMENT = re.compile(_DATE_TIME + _OFFSET)


@dataclass(frozen=True, slots=True)
class Conversion:
    """Reads one value. ``empty`` is what a gap becomes where the row sets no default."""

    expected: str
    read: Callable[[object], object]
    schema: Mapping[str, object] = field(default_factory=dict)
    empty: object = None


def text(limit: int = 300, *, lines: bool = False) -> Conversion:
    """Read text, trimmed and composed; line breaks become blanks unless ``lines``."""

    def read(value: object) -> str:
        if not isinstance(value, str) or len(value) > limit:
            raise ValueError
        if not value.isprintable() and FORBIDDEN.search(value):
            raise ValueError
        return unicodedata.normalize("NFC", value).strip() if lines else tidy(value)

    expected = f"text of at most {limit} characters without control characters"
    schema = {"type": "string", "maxLength": limit, "pattern": _NO_CONTROLS}
    return Conversion(expected, read, schema, empty="")


def identifier(limit: int = 100) -> Conversion:
    """Read an id: vendors send them as numbers or as text."""
    plain = text(limit)

    def read(value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value) if abs(value) < 10**limit else _refuse()
        return plain.read(value)

    expected = f"an id: a whole number, or text of at most {limit} characters"
    return Conversion(expected, read, {"type": ["string", "integer"]}, empty="")


def _refuse() -> object:
    raise ValueError


def _number(value: object) -> Decimal:
    """Take 19.9, "19.90" or Decimal; not booleans, not NaN, nothing absurdly large or fine."""
    if isinstance(value, str):
        if not _NUMBER_TEXT.fullmatch(value):  # it lets nothing through that is too large or fine
            raise ValueError
        return Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError  # noqa: TRY004 a wrong type is a bad value here, not our mistake
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    if isinstance(value, int) and abs(value) >= LIMIT:
        raise ValueError
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= LIMIT:
        raise ValueError
    # A float's tail is no information: 16.806722689075633 is cut where money ends anyway.
    return number if -int(number.as_tuple().exponent) <= _MOST_DECIMALS else round(number, 12)


def _at_least(minimum: Decimal | None, *, above: bool = False) -> Callable[[object], Decimal]:
    def read(value: object) -> Decimal:
        number = _number(value)
        if minimum is not None and (number < minimum or (above and number == minimum)):
            raise ValueError
        return number

    return read


_DECIMAL_TEXT = {"type": "string", "pattern": f"^{_NUMBER}$"}
AMOUNT = Conversion(
    f"an amount from 0 on, below {LIMIT}, with a decimal point",
    _at_least(Decimal(0)),
    _DECIMAL_TEXT,
)
COUNT = Conversion(f"a number from 0 on, below {LIMIT}", _at_least(Decimal(0)))
SIGNED_AMOUNT = Conversion(
    f"an amount below {LIMIT}, with a decimal point", _at_least(None), _DECIMAL_TEXT
)
POSITIVE = Conversion(
    f"a number above 0, below {LIMIT}",
    _at_least(Decimal(0), above=True),
    {"type": "string", "pattern": rf"^(?!0(?:\.0+)?$){_NUMBER}$"},
)


def _rate(value: object) -> Decimal:
    rate = _number(value)
    if not 0 <= rate <= 100:
        raise ValueError
    return rate


RATE = Conversion(
    "a tax rate in percent from 0 to 100",
    _rate,
    {"type": "string", "pattern": r"^(?:100(?:\.0{1,12})?|[1-9]?[0-9](?:\.[0-9]{1,12})?)$"},
)


def _share(value: object) -> Decimal:
    share = _number(value)
    if not 0 <= share <= 1:
        raise ValueError
    return share


SHARE = Conversion("a tax rate from 0 to 1, such as 0.19", _share)


def exact(conversion: Conversion) -> Conversion:
    """Take a number only as text, as our own formats do: no reader can round it on the way."""

    def read(value: object) -> object:
        if not isinstance(value, str) or value != value.strip() or value.startswith("-"):
            raise ValueError
        return conversion.read(value)

    expected = conversion.expected.replace("with a decimal point", 'as text such as "119.00"')
    return Conversion(expected, read, conversion.schema, conversion.empty)


def _currency(value: object) -> str:
    if not isinstance(value, str) or value not in CURRENCIES:
        raise ValueError
    return value


CURRENCY = Conversion(
    "a currency as an ISO 4217 code such as EUR", _currency, {"enum": sorted(CURRENCIES)}, empty=""
)


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise ValueError
    return datetime.fromisoformat(value).astimezone(UTC)


def _utc_moment(value: object) -> datetime:
    if not isinstance(value, str) or not re.fullmatch(f"{_DATE_TIME}Z?", value):
        raise ValueError
    return datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=UTC)


MOMENT = Conversion(
    "a time with its offset such as 2026-11-16T09:30:00+01:00",
    _moment,
    {"type": "string", "format": "date-time", "pattern": f"^{_DATE_TIME}{_OFFSET}$"},
)
UTC_MOMENT = Conversion("a time in UTC such as 2026-11-16T08:30:00", _utc_moment)


def _day(value: object) -> date:
    if not isinstance(value, str) or not re.fullmatch(_DATE, value):
        raise ValueError
    return date.fromisoformat(value)


DAY = Conversion(
    "a date such as 2026-11-30",
    _day,
    {"type": "string", "format": "date", "pattern": f"^{_DATE}$"},
)


def _days(value: object) -> int:
    number = _number(value)
    if number != int(number) or not 0 <= number <= 120:
        raise ValueError
    return int(number)


DAYS = Conversion("a number of days from 0 to 120", _days)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 a wrong type is a bad value here, not our mistake
    return value


FLAG = Conversion("true or false", _flag, {"type": "boolean"}, empty=False)


def one_of(values: Mapping[str, object]) -> Conversion:
    """Read one of a few words, each standing for a value of ours."""

    def read(value: object) -> object:
        if not isinstance(value, str) or value not in values:
            raise ValueError
        return values[value]

    return Conversion(f"one of {', '.join(values)}", read, {"enum": list(values)})


def texts(limit: int = 200, most: int = 50) -> Conversion:
    """Read a list of texts."""
    one = text(limit)

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError
        return tuple(one.read(item) for item in value)

    schema = {"type": "array", "maxItems": most, "items": one.schema}
    return Conversion(f"a list of at most {most} texts", read, schema, empty=())


def _local_day(value: object) -> date:
    if not isinstance(value, str) or not re.fullmatch(f"{_DATE_TIME}{_OFFSET}?", value):
        raise ValueError
    return date.fromisoformat(value[:10])


LOCAL_DAY = Conversion("a time such as 2026-11-16T09:30:00, of which the date counts", _local_day)


def plain_text(limit: int = 500) -> Conversion:
    """Read text in which the vendor leaves HTML entities and tags: ``Tee &ndash; gr&uuml;n``."""
    inner = text(limit)

    def read(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004 a wrong type is a bad value here, not our mistake
        return inner.read(html.unescape(re.sub(r"</?[a-zA-Z][^<>]{0,200}>", "", value)))

    return Conversion(inner.expected, read, inner.schema, empty="")
