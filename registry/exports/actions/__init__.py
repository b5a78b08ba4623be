"""All writes of datasets: asking, deciding, building, handing out, having deleted."""

from .asking import approve_request as approve_request
from .asking import order_build as order_build
from .asking import request_dataset as request_dataset
from .asking import return_request as return_request
from .asking import sharing_counts as sharing_counts
from .building import build as build
from .building import sweep_builds as sweep_builds
from .deleting import confirm_deletions as confirm_deletions
from .deleting import find_deletions as find_deletions
from .deleting import to_delete as to_delete
from .downloading import download as download
from .errors import ExportError as ExportError
