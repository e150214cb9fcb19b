from __future__ import annotations
from pathlib import Path
from turnout_pipelines import train

def test_x(models, history_slice):
    r = train.run(outcomes=[history_slice()], candidates=("lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b", "ollama/llama-3.3-70b"), n_folds=2, promote_if_better=True)
    print(r)
    for p in sorted(models.rglob('*')): print(p)
    import os; print(os.environ['MLFLOW_TRACKING_URI'])
    assert 0
