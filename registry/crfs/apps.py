from django.apps import AppConfig


class CrfsConfig(AppConfig):
    name = "registry.crfs"
    label = "crfs"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers the checks
