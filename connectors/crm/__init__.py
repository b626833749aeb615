"""CRM systems: won deals come from them, and what becomes of the money is told to them.

``vendors`` finds the vendor of a channel. What a deal's fields mean stands in the mappings; the
reader of a whole deal, ``connectors.shops.crm``, is one of the order sources.
"""
