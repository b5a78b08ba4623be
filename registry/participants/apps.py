from collections.abc import Iterator

from django.apps import AppConfig
from psycopg.sql import Composable


class ParticipantsConfig(AppConfig):
    name = "registry.participants"
    label = "participants"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers the check

    def raise_walls(self) -> Iterator[Composable]:
        from .walls import raise_walls

        return raise_walls()
