from django.urls import path

from . import copy_views, project_views, views

urlpatterns = [
    path("datasets/", views.datasets, name="datasets"),
    path("datasets/new/", views.new_request, name="new_dataset"),
    path("datasets/requests/<int:request_id>/", views.dataset_request, name="dataset_request"),
    path("datasets/projects/", project_views.projects, name="dataset_projects"),
    path("datasets/projects/<int:project_id>/", project_views.project, name="dataset_project"),
    path(
        "datasets/projects/<int:project_id>/deletions/",
        project_views.deletions,
        name="dataset_deletions",
    ),
    path(
        "datasets/projects/<int:project_id>/deletions.csv",
        project_views.deletions_csv,
        name="dataset_deletions_csv",
    ),
    path("datasets/<int:dataset_id>/", views.dataset, name="dataset"),
    path("datasets/<int:dataset_id>/cancel/", views.cancel, name="cancel_dataset"),
    path("datasets/<int:dataset_id>/again/", views.build_again, name="build_dataset_again"),
    path("datasets/<int:dataset_id>/<str:token>/", views.download, name="download_dataset"),
    path("own-data/", copy_views.own_data, name="own_data"),
    path("own-data/<str:prefix>/", copy_views.site_copies, name="site_copies"),
    path("own-data/<str:prefix>/<int:copy_id>/", copy_views.site_copy, name="site_copy"),
    path(
        "own-data/<str:prefix>/<int:copy_id>/<str:token>/",
        copy_views.download_copy,
        name="download_copy",
    ),
]
