"""Seven years at six sites: what happens there, an oracle that says what is told, the registry."""
