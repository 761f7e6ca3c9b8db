"""Patrol rounds over HTTP."""
