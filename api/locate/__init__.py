"""Locating over HTTP."""
