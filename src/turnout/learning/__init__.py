"""What pipelines compute: datasets, metrics, evaluation, simulation. Needs the extra 'train'."""
