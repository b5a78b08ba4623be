from django.apps import AppConfig


class UlcersConfig(AppConfig):
    name = "registry.ulcers"
    label = "ulcers"

    def ready(self) -> None:
        from . import checks, planning  # noqa: F401  registers checks and planner
