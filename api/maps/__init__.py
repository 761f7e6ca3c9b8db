"""Maps and the start page over HTTP."""
