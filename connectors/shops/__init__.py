"""Shop connectors: one module per system, each with its declared mapping, behind ``ShopConnector``.

``SHOPS`` is the registry: a new source is one module and one line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.shops.crm import CrmConnector
from connectors.shops.own import OwnConnector
from connectors.shops.shopify import ShopifyConnector
from connectors.shops.shopware import ShopwareConnector
from connectors.shops.woocommerce import WooCommerceConnector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.shops.port import ShopConnector

SHOPS: Mapping[str, ShopConnector] = {
    connector.source: connector
    for connector in (
        ShopifyConnector(),
        WooCommerceConnector(),
        ShopwareConnector(),
        OwnConnector(),
        CrmConnector(),
    )
}

__all__ = ["SHOPS"]
