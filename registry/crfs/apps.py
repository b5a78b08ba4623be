from django.apps import AppConfig


class CrfsConfig(AppConfig):
    name = "registry.crfs"
    label = "crfs"

    def ready(self) -> None:
        from . import checks, planning, upkeep  # noqa: F401  registers them
