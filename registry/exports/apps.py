from collections.abc import Iterator

from django.apps import AppConfig
from psycopg.sql import Composable


class ExportsConfig(AppConfig):
    name = "registry.exports"
    label = "exports"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers the checks

    def before_migrate(self) -> Iterator[Composable]:
        from .release_views import before_migrate

        return before_migrate()

    def raise_walls(self) -> Iterator[Composable]:
        from .release_views import raise_walls

        return raise_walls()
