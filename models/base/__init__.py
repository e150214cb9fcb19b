"""The base predictor's files, as they ship; `turnout.predictor.base_artifact` reads them."""
