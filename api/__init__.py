"""HTTP service, command line, settings and wiring: the composition root."""
