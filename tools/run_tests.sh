#!/usr/bin/env bash
# Sets up the environment if needed, then runs the checks and the tests.
# Usage: bash tools/run_tests.sh [PYTEST ARGUMENTS], e.g. bash tools/run_tests.sh -k resume
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tools/setup_env.sh
python=.venv/bin/python

echo '[tests] ruff check'
"$python" -m ruff check .
echo '[tests] ruff format --check'
"$python" -m ruff format --check .
echo '[tests] pytest'
# Two files at a time: much of the time is waiting for killed and resumed processes.
exec "$python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15 "$@"
