"""All claims of the evidence page, in its order."""

from __future__ import annotations

from evidence_claims_learning import LABORATORY, LEARNING
from evidence_claims_routing import QUALITY, TIMES
from evidence_claims_serving import SERVING

CLAIMS = (*QUALITY, *TIMES, *SERVING, *LEARNING, *LABORATORY)
