from django.urls import path

from . import views

urlpatterns = [
    path("history/<str:label>/<int:key>/", views.history, name="history"),
]
