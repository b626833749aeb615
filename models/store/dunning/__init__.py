"""Dunning in the database: rules, standings, selection, opening items. All SQL of it is here."""
