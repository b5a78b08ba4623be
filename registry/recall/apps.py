from django.apps import AppConfig
from django.db.backends.signals import connection_created


class RecallConfig(AppConfig):
    name = "registry.recall"
    label = "recall"

    def ready(self) -> None:
        from .statement import read_to_the_end

        connection_created.connect(read_to_the_end)
