from django.urls import path

from . import views

urlpatterns = [
    path(
        "sites/<str:prefix>/laboratory-limits/", views.laboratory_limits, name="laboratory_limits"
    ),
]
