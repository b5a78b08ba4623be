"""Shells of the background work on datasets and on copies of a site's data."""

from celery import shared_task

from . import actions


@shared_task
def build_dataset(dataset_id: int) -> None:
    """Build one dataset; runs in the worker of the queue ``datasets``."""
    actions.build(dataset_id=dataset_id)


@shared_task
def build_site_copy(site_id: int, copy_id: int) -> None:
    """Make one copy of a site's data; an ordinary worker does, as the web role."""
    actions.build_copy(site_id=site_id, copy_id=copy_id)


@shared_task
def sweep_builds() -> None:
    actions.sweep_copies()
    actions.sweep_builds()
    actions.tell_ended()


@shared_task
def find_deletions() -> None:
    actions.find_deletions()
