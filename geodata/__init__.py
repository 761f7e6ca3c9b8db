"""Files, databases, reference catalogues and the sample city."""
