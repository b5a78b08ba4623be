from django.apps import AppConfig


class SimulationConfig(AppConfig):
    name = "registry.simulation"
    label = "simulation"
