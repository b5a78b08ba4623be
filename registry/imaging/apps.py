from django.apps import AppConfig


class ImagingConfig(AppConfig):
    name = "registry.imaging"
    label = "imaging"
