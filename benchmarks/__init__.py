"""Measurements side by side in one run, each with its limit. Figures land in ``docs/``."""
