from django.urls import path

from . import views

urlpatterns = [
    path("datasets/", views.datasets, name="datasets"),
    path("datasets/new/", views.new_request, name="new_dataset"),
    path("datasets/requests/<int:request_id>/", views.dataset_request, name="dataset_request"),
    path("datasets/<int:dataset_id>/", views.dataset, name="dataset"),
    path("datasets/<int:dataset_id>/cancel/", views.cancel, name="cancel_dataset"),
    path("datasets/<int:dataset_id>/again/", views.build_again, name="build_dataset_again"),
    path("datasets/<int:dataset_id>/<str:token>/", views.download, name="download_dataset"),
]
