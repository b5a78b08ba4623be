from collections.abc import Iterator

from django.apps import AppConfig
from psycopg.sql import Composable


class VisitsConfig(AppConfig):
    name = "registry.visits"
    label = "visits"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers the checks

    def raise_walls(self) -> Iterator[Composable]:
        from .walls import raise_walls

        return raise_walls()
