"""Shells of the background work on datasets."""

from celery import shared_task

from . import actions


@shared_task
def build_dataset(dataset_id: int) -> None:
    """Build one dataset; runs in the worker of the queue ``datasets``."""
    actions.build(dataset_id=dataset_id)


@shared_task
def sweep_builds() -> None:
    actions.sweep_builds()


@shared_task
def find_deletions() -> None:
    actions.find_deletions()
