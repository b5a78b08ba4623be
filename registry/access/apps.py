from collections.abc import Iterator

from django.apps import AppConfig
from psycopg.sql import Composable


class AccessConfig(AppConfig):
    name = "registry.access"
    label = "access"

    def raise_walls(self) -> Iterator[Composable]:
        from .walls import raise_walls

        return raise_walls()
