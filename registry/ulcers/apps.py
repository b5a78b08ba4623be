from django.apps import AppConfig


class UlcersConfig(AppConfig):
    name = "registry.ulcers"
    label = "ulcers"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers the checks
