from django.urls import path

from . import views

urlpatterns = [path("reports/tokoro/", views.tokoro_report, name="tokoro_report")]
