"""What the mappings say, for people (Markdown tables) and for machines (JSON Schemas).

``python -m connectors.mapping_docs`` rewrites docs/mappings.md and docs/schemas/*.json from the
mappings; a test fails while they differ. Nothing in those files is written by hand.
"""

from __future__ import annotations

import json
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from connectors import payments
from connectors.crm.hubspot_mapping import MAPPING as HUBSPOT
from connectors.crm.pipedrive_mapping import MAPPING as PIPEDRIVE
from connectors.rows import Each, Field
from connectors.shops import own, shopify, shopware_order, woocommerce
from connectors.shops.shopify_mapping import SHOP_MONEY
from connectors.shops.shopware_mapping import MAPPING as SHOPWARE
from connectors.shops.woocommerce_mapping import MAPPING as WOOCOMMERCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.rows import Row
    from domain.order import PaymentStatus

Schema = dict[str, object]
_HEAD = "| reads | fills | takes | if it is missing | remarks |\n| --- | --- | --- | --- | --- |"


def markdown_table(rows: tuple[Row, ...]) -> str:
    """Render a mapping as a Markdown table, the rows of a list below the list."""
    return "\n".join((_HEAD, *_lines(rows, "", "")))


def _lines(rows: tuple[Row, ...], reads_in: str, fills_in: str) -> list[str]:
    lines = []
    for row in rows:
        if isinstance(row, Each):
            reads, fills = f"{reads_in}{row.reads}[]", f"{fills_in}{row.fills}[]"
            most = f"a list of {row.least} to {row.most} items"
            lines.append(_line(f"`{reads}`", _filled(fills), most, "an empty list", row.says))
            lines += _lines(row.rows, f"{reads}.", f"{fills}.")
        else:
            reads = ", else ".join(f"`{reads_in}{path}`" for path in row.paths) or "nothing"
            fills = _filled(f"{fills_in}{row.fills}")
            lines.append(_line(reads, fills, row.converts.expected, _gap(row), row.says))
    return lines


def _filled(path: str) -> str:
    """Show a field of the order as code; what is worked out with others, in brackets."""
    return f"({path.replace('~', '')})" if "~" in path else f"`{path}`"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _gap(row: Field) -> str:
    if row.required:
        return "refused"
    gap = row.gap
    if isinstance(gap, Enum):
        return f"`{gap.value}`"
    if isinstance(gap, bool):
        return "yes" if gap else "no"
    return f"`{gap}`" if isinstance(gap, Decimal) or gap else "left open"


def json_schema(rows: tuple[Row, ...], title: str, description: str) -> Schema:
    """Render a mapping of a format of our own as a JSON Schema (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        **_object(rows),
    }


def _object(rows: tuple[Row, ...]) -> Schema:
    """Return the schema of one object; a path ``a.b`` is a field of the object ``a``."""
    groups: dict[str, list[Row]] = {}
    properties: dict[str, object] = {}
    required = []
    for row in rows:
        path = row.reads if isinstance(row, Each) else row.paths[0]
        name, _, rest = path.partition(".")
        if rest and isinstance(row, Field):
            inner = Field(rest, row.fills, row.converts, row.gap, row.required, row.says)
            groups.setdefault(name, []).append(inner)
            properties[name] = {}
            continue
        properties[name] = _list(row) if isinstance(row, Each) else _value(row)
        if (isinstance(row, Each) and row.least) or (isinstance(row, Field) and row.required):
            required.append(name)
    for name, inner_rows in groups.items():
        properties[name] = _nullable(_object(tuple(inner_rows)))
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _list(row: Each) -> Schema:
    schema = {"type": "array", "maxItems": row.most, "items": _object(row.rows)}
    return {**schema, "minItems": row.least} if row.least else _nullable(schema)


def _value(row: Field) -> Schema:
    schema = dict(row.converts.schema)
    if row.required and row.converts.empty == "" and "pattern" in schema:
        schema["pattern"] = f"^(?=[\\s\\S]*\\S){str(schema['pattern'])[1:]}"
    described = {"description": row.says} if row.says else {}
    return {**described, **(schema if row.required else _nullable(schema))}


def _nullable(schema: Schema) -> Schema:
    """Null says the same as leaving the field out."""
    return {"anyOf": [schema, {"type": "null"}]}


def schema_files() -> dict[str, str]:
    """Return the published schemas as text, by file name."""
    documents = {
        "order.schema.json": json_schema(
            own.MAPPING,
            "Zahltag order",
            "An order in Zahltag's own format. Amounts are decimal text in the order's currency; "
            "gross prices contain the tax. POST it to /webhooks/<channel>, signed as "
            "https://www.standardwebhooks.com says.",
        ),
        "payment.schema.json": json_schema(
            payments.MAPPING,
            "Zahltag payment notice",
            "Money that came in, or an attempt that failed. Signed as "
            "https://www.standardwebhooks.com says.",
        ),
    }
    return {
        name: json.dumps(schema, indent=2, ensure_ascii=True) + "\n"
        for name, schema in documents.items()
    }


_INTRODUCTION = """# What each source's fields become

Made from the mappings in `connectors/shops/` by `python -m connectors.mapping_docs`; do not edit.

Read a row as: this field of the document fills that field of our order (names in brackets are
worked out together with others). A field that is *refused* when it is missing, or that is not what
the third column says, makes the whole document be refused, with every such field named. What is
*left open* although business needs it (an e-mail address, a tax rate) does not: the order is taken,
its case waits, and its problems say what to correct."""


_DEALS = """One document with the whole deal, each part as the vendor's API gives it:
`{"vendor": "hubspot", "deal": ..., "line_items": [...], "companies": [...], "contacts": [...],
"tax_rates": [...]}`, for Pipedrive `deal`, `products`, `product_details`, `discounts`,
`organization` and `person`. A deal that is not won is refused, as is one with a position that is
billed again and again. A channel's settings name the custom fields, explain tax keys and fill gaps
(operations.md, "Connect a CRM"). The deal's number and name stand on the invoice (BT-14), the
buyer's order number too (BT-13)."""


def mappings_page() -> str:
    """Return docs/mappings.md."""
    return "\n\n".join(_sections()) + "\n"


def _sections() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Shopify (`shopify`)"
    yield (
        "If `presentment_currency` is not `currency`, every amount is read from its "
        "`*_set.presentment_money.amount` instead: the invoice is in what the customer was charged."
    )
    yield markdown_table(SHOP_MONEY)
    yield _status_table("financial_status", shopify.STATUSES)
    yield (
        "`pending` and `partially_paid` become `later` where payment terms are agreed or a gateway "
        "is called invoice, Rechnung, on account, pay later or net 30."
    )
    yield "## WooCommerce (`woocommerce`)"
    yield markdown_table(WOOCOMMERCE)
    paid = {status: pair[0] for status, pair in woocommerce.STATUSES.items()}
    unpaid = {status: pair[1] for status, pair in woocommerce.STATUSES.items()}
    yield _status_table("status (with date_paid)", paid)
    yield _status_table("status (without date_paid)", unpaid)
    yield "`pending` and `on-hold` without a date become `later` where the method is an invoice."
    yield "## Shopware 6 (`shopware`)"
    yield markdown_table(SHOPWARE)
    yield _status_table("transactions[].stateMachineState", shopware_order.STATUSES)
    yield "States that await money become `later` where the method is an invoice."
    yield "## Won deals of HubSpot (`crm`, vendor `hubspot`)"
    yield _DEALS
    yield markdown_table(HUBSPOT)
    yield "## Won deals of Pipedrive (`crm`, vendor `pipedrive`)"
    yield markdown_table(PIPEDRIVE)
    yield "## Zahltag's own order (`zahltag`)"
    yield "JSON Schema: [schemas/order.schema.json](schemas/order.schema.json)."
    yield markdown_table(own.MAPPING)
    yield "## The generic payment webhook"
    yield "JSON Schema: [schemas/payment.schema.json](schemas/payment.schema.json)."
    yield markdown_table(payments.MAPPING)


def _status_table(name: str, statuses: Mapping[str, PaymentStatus]) -> str:
    rows = [f"| `{vendor}` | {ours.value} |" for vendor, ours in statuses.items()]
    return "\n".join((f"| {name} | payment |", "| --- | --- |", *rows, "| anything else | open |"))


def published_files() -> dict[str, str]:
    """Return every generated file: its path below docs/ and its text."""
    schemas = {f"schemas/{name}": text for name, text in schema_files().items()}
    return {"mappings.md": mappings_page(), **schemas}


if __name__ == "__main__":
    for name, content in published_files().items():
        (Path(__file__).parent.parent / "docs" / name).write_text(content, encoding="utf-8")
