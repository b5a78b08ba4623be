from django.apps import AppConfig


class RecallConfig(AppConfig):
    name = "registry.recall"
    label = "recall"
