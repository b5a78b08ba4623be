"""All writes of recall: what is planned, and what is sent."""

from .planning import plan as plan
from .planning import recipients_of as recipients_of
from .sending import BATCH as BATCH
from .sending import judge as judge
from .sending import send as send
from .sending import unfinished as unfinished
