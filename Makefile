# make demo   sets everything up, indexes a real short video offline, searches it, draws the moments
# make test   sets everything up and runs the suite
# make lint   formatting, lints and types
# DEMO=~/Videos make demo    the same with your own videos

PYTHON ?= python3
VENV ?= .venv
OUT := demo/out
SCENES := ../shared/data/videos/scenes
DEMO ?= $(wildcard $(SCENES))
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check -q

.PHONY: demo test lint clean

demo: $(VENV)/demo
	@VENV=$(VENV) OUT=$(OUT) DEMO="$(DEMO)" sh demo/run.sh

test: $(VENV)/dev
	$(VENV)/bin/python -m pytest -rs -n 2 --dist loadfile

lint: $(VENV)/dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

$(VENV)/demo $(VENV)/dev: $(VENV)/%: pyproject.toml | $(VENV)/bin/python
	$(PIP) install -e ".[$*]"
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) $(OUT)
