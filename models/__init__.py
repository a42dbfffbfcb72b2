"""Fusions and classifiers by the name that a grid calls them."""

from models.attention import Attention
from models.baselines import ImageOnly, Majority, TextOnly
from models.classifiers import Classifier, Logistic
from models.co_training import CoTraining
from models.cross_attention import CrossAttention
from models.early import Concat
from models.end_to_end import EndToEnd
from models.fusion import Fusion
from models.gated import Gated
from models.late import Late
from models.neighbours import NearestNeighbours
from models.perceptron import MLP
from models.ridge import Ridge
from models.semi_supervised import SemiSupervised
from models.shared_space import CCA, Contrastive
from models.svm import RBFSVM, LinearSVM
from models.trees import HistGradientBoosting, RandomForest
from models.zero_shot import ZeroShot

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
    "end_to_end": EndToEnd,
    "cca": CCA,
    "contrastive": Contrastive,
    "semi_supervised": SemiSupervised,
    "zero_shot": ZeroShot,
}
CLASSIFIERS: dict[str, type[Classifier]] = {
    "logistic": Logistic,
    "ridge": Ridge,
    "linear_svm": LinearSVM,
    "rbf_svm": RBFSVM,
    "random_forest": RandomForest,
    "hist_gradient_boosting": HistGradientBoosting,
    "knn": NearestNeighbours,
    "mlp": MLP,
}
