"""Films of a leg, and what readers saw on them."""

from .film import Film as Film
from .reading import Reading as Reading
from .xray import Xray as Xray
