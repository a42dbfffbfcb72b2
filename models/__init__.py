"""Fusions and classifiers by the name that a grid calls them."""

from models.classifier import Classifier
from models.classifiers.logistic import Logistic
from models.classifiers.neighbours import NearestNeighbours
from models.classifiers.perceptron import MLP
from models.classifiers.ridge import Ridge
from models.classifiers.svm import RBFSVM, LinearSVM
from models.classifiers.trees import HistGradientBoosting, RandomForest
from models.early.baselines import ImageOnly, Majority, TextOnly
from models.early.concat import Concat
from models.fusion import Fusion
from models.late.label_propagation import LabelPropagation
from models.late.late import Late
from models.late.semi_supervised import SemiSupervised
from models.neural.attention import Attention
from models.neural.co_training import CoTraining
from models.neural.cross_attention import CrossAttention
from models.neural.end_to_end import EndToEnd
from models.neural.gated import Gated
from models.shared_space.classification import CCA, Contrastive, Shared, TextRegression
from models.shared_space.kernel_cca import KernelCCA
from models.shared_space.zero_shot import ZeroShot

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
    "kernel_cca": KernelCCA,
    "text_space": TextRegression,
    "contrastive": Contrastive,
    "shared": Shared,
    "semi_supervised": SemiSupervised,
    "label_propagation": LabelPropagation,
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
