"""Which code builds a dataset."""

from __future__ import annotations

import subprocess
import tomllib

from django.conf import settings


def code_version() -> str:
    """The commit the code stands at, or the version of the project where there is no git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
        return str(project["project"]["version"])
    return described.stdout.strip()
