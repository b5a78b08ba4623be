"""Measurements side by side in one run, each with its limit. Figures land in ``docs/``."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
