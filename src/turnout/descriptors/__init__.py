"""Descriptors: what is publicly known of a language model, told from its name and from what its provider says."""

from turnout.descriptors.descriptor import Descriptor, Effort, SizeTier, Variant
from turnout.descriptors.metadata import Metadata
from turnout.descriptors.names import describe

__all__ = ["Descriptor", "Effort", "Metadata", "SizeTier", "Variant", "describe"]
