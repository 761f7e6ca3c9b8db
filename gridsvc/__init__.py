"""The domain of urban grid management: no files, no SQL, no HTTP, no HTML."""
