"""Fitting the base predictor: one for all candidates, from many outcome tables at once."""
