"""Imported by the server that forks the toy trainings, before the first fork."""

import hosts_once
import toy_training  # noqa: F401

import mmdetxfer.engine  # noqa: F401

hosts_once.before_forks()
