"""Dunning by rules (Mahnwesen): rules, whom they match, when they run, and the ladder. Pure."""
