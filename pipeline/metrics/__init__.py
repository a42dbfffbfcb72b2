"""METRICS: name -> Metric. A new metric is a function and a line here.

Those of retrieval stand in `pipeline.metrics.retrieval`, RETRIEVAL_METRICS.
"""

from collections.abc import Mapping

from pipeline.metrics.classification import (
    accuracy,
    balanced_accuracy,
    f1_macro,
    log_loss,
    precision_macro,
    recall_macro,
    roc_auc,
)
from pipeline.metrics.metric import Metric
from pipeline.metrics.retrieval import RETRIEVAL_METRICS, RetrievalMetric

METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy),
    "balanced_accuracy": Metric(balanced_accuracy),
    "precision_macro": Metric(precision_macro),
    "recall_macro": Metric(recall_macro),
    "f1_macro": Metric(f1_macro),
    "log_loss": Metric(log_loss, greater_is_better=False, unit="nats", rope=0.02),
    "roc_auc": Metric(roc_auc),
}

# What a grid may name for its task.
METRICS_OF: dict[str, Mapping[str, Metric | RetrievalMetric]] = {
    "classification": METRICS,
    "retrieval": RETRIEVAL_METRICS,
}
