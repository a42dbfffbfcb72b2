"""Fusions and classifiers by the name that a grid calls them."""

from models.attention import Attention
from models.baselines import ImageOnly, Majority, TextOnly
from models.classifiers import MLP, Classifier, LinearSVM, Logistic, RandomForest
from models.co_training import CoTraining
from models.cross_attention import CrossAttention
from models.early import Concat
from models.fusion import Fusion
from models.gated import Gated
from models.late import Late
from models.shared_space import CCA

FUSIONS: dict[str, type[Fusion]] = {
    "majority": Majority,
    "image_only": ImageOnly,
    "text_only": TextOnly,
    "concat": Concat,
    "late": Late,
    "attention": Attention,
    "cross_attention": CrossAttention,
    "gated": Gated,
    "co_training": CoTraining,
    "cca": CCA,
}
CLASSIFIERS: dict[str, type[Classifier]] = {
    "logistic": Logistic,
    "linear_svm": LinearSVM,
    "random_forest": RandomForest,
    "mlp": MLP,
}
