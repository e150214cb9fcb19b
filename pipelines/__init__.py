"""Thin jobs that call `turnout.learning` and track in MLflow. The only package that imports MLflow."""
