from django.apps import AppConfig


class UlcersConfig(AppConfig):
    name = "registry.ulcers"
    label = "ulcers"
