"""Analyses over HTTP: hot spots, density, coverage."""
