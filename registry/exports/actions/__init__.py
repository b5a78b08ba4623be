"""All writes of datasets and site's copies: asking, deciding, building, handing out, deleting."""

from .asking import approve_request as approve_request
from .asking import order_build as order_build
from .asking import preview as preview
from .asking import request_dataset as request_dataset
from .asking import return_request as return_request
from .building import build as build
from .building import build_now as build_now
from .building import cancel_dataset as cancel_dataset
from .building import sweep_builds as sweep_builds
from .copying import ask_for_copy as ask_for_copy
from .copying import build_copy as build_copy
from .copying import sweep_copies as sweep_copies
from .deleting import confirm_deletions as confirm_deletions
from .deleting import find_deletions as find_deletions
from .deleting import to_delete as to_delete
from .disclosing import disclosure_now as disclosure_now
from .downloading import download as download
from .downloading import open_copy as open_copy
from .downloading import require_empty as require_empty
from .downloading import unpack as unpack
from .errors import ExportError as ExportError
from .telling import tell_ended as tell_ended
