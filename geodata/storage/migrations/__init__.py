"""Migrations of the schema, oldest first, for both back ends.

A revision that was released is never edited; a change of the contracts gets a new one.
"""
