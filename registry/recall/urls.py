from django.urls import path

from . import views

urlpatterns = [
    path("recall/", views.recalls, name="recalls"),
    path("recall/<int:pk>/", views.recall, name="recall"),
    path("recall/<int:pk>/html/", views.recall_html, name="recall_html"),
]
