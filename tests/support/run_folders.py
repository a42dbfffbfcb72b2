"""Folders of finished runs, as small as can be: what trackers read of them."""

from __future__ import annotations

import json
from pathlib import Path

LOCK = """\
name: small
task: classification
seed: 7
data:
  source: table
  path: items.csv
split:
  folds: 2
image:
- cnn
metric: accuracy
tuning_metric: log_loss
# data fingerprint (sha256): abc
# numpy: 2.0
"""
SCORES = """\
cell,image,text,fusion,classifier,parameters,repeat,fold,n_train,accuracy,log_loss,fit_seconds
majority,,,majority,,{},0,0,6,0.500000,,0.001
majority,,,majority,,{},0,1,6,0.250000,1.500000,0.003
cnn + bow / concat / ridge,cnn,bow,concat,ridge,{},0,0,6,1.000000,0.100000,2.000
cnn + bow / concat / ridge,cnn,bow,concat,ridge,{},0,1,6,0.500000,0.300000,4.000
"""
RETRIEVAL_SCORES = """\
cell,image,text,fusion,parameters,repeat,fold,direction,n_train,hit_at_10,fit_seconds
cnn + bow / cca,cnn,bow,cca,{},0,0,image_to_text,6,0.500000,2.000
cnn + bow / cca,cnn,bow,cca,{},0,0,text_to_image,6,0.750000,2.000
"""
VERDICT = {
    "name": "small",
    "metric": "accuracy",
    "answer": "probably pays",
    "headline": "Adding the text probably pays.",
    "gain": {"mean": 0.375, "low": -0.1, "high": 0.85, "folds": 2, "p_value": None},
    "winner": "cnn + bow / concat / ridge",
    "score": None,
    "cells": [
        {"name": "cnn + bow / concat / ridge", "rank": 1},
        {"name": "majority", "rank": None},
    ],
}


def write_run_folder(folder: Path, scores: str = SCORES) -> Path:
    """Write what a run leaves, but for most of it."""
    folder.mkdir(parents=True)
    contents = {
        "grid.lock.yaml": LOCK,
        "scores.csv": scores,
        "verdict.json": json.dumps(VERDICT),
        "report.html": "<p>",
        "predictions.parquet": "",
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder
