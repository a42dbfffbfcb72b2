"""Which classes may stand in a bundle: an explicit list, and nothing outside of it is ever made.

Beside ours these are the parts of plugins that take part already, and the classes that these list
in BUNDLED. A name in a bundle never leads to an import of what is no part of modalgrid.
"""

from __future__ import annotations

from importlib import import_module

from pipeline.config.plugins.active import plugin_classes

# Objects of these classes are made again from what they hold, without calling anything of theirs.
# Those of scikit-learn go through skops, which imports all of it, torch and dask, of which a bundle
# of TF-IDF has no use (the start in benchmarks/predict.py takes 4.0 s of CPU with it, 1.6 s
# without).
OBJECTS = frozenset({
    "features.encoders.bag_of_words:BagOfWords",
    "features.encoders.bag_of_words:TermCounts",
    "features.encoders.clip:CLIPImage",
    "features.encoders.clip:CLIPText",
    "features.encoders.cnn:CNN",
    "features.encoders.cnn_pyramid:CNNPyramid",
    "features.encoders.handcrafted:Handcrafted",
    "features.encoders.sentence_bert:SentenceBert",
    "features.encoders.small_resnet:SmallResNet",
    "features.encoders.small_vgg:SmallVGG",
    "features.encoders.tfidf:Tfidf",
    "features.encoders.universal_sentence:UniversalSentence",
    "features.encoders.word2vec:Word2Vec",
    "features.networks.finetuning:Head",
    "features.principal_components:PrincipalComponents",
    "features.texts.counting:InverseFrequencies",
    "features.texts.weighting:Weighting",
    "features.texts.word_vectors:WordVectors",
    "features.training.settings:History",
    "models.classifiers.calibration:Sigmoids",
    "models.classifiers.logistic:Logistic",
    "models.classifiers.logistic:_Softmax",
    "models.classifiers.neighbours:NearestNeighbours",
    "models.classifiers.perceptron:MLP",
    "models.classifiers.regression:Lines",
    "models.classifiers.ridge:Ridge",
    "models.classifiers.ridge:_Calibrated",
    "models.classifiers.svm:LinearSVM",
    "models.classifiers.svm:RBFSVM",
    "models.classifiers.svm:SummedRBF",
    "models.classifiers.svm:_SoftmaxOfDecisions",
    "models.classifiers.trees:HistGradientBoosting",
    "models.classifiers.trees:RandomForest",
    "models.early.baselines:ImageOnly",
    "models.early.baselines:Majority",
    "models.early.baselines:TextOnly",
    "models.early.concat:Concat",
    "models.late.label_propagation:LabelPropagation",
    "models.late.late:Late",
    "models.late.semi_supervised:SemiSupervised",
    "models.late.stacking:Stacker",
    "models.neural.attention:Attention",
    "models.neural.co_training:CoTraining",
    "models.neural.cross_attention:CrossAttention",
    "models.neural.dense_blocks:DenseBlocks",
    "models.neural.end_to_end:EndToEnd",
    "models.neural.gated:Gated",
    "models.preparation.principal_components:BlockReduction",
    "models.preparation.principal_components:SequenceReduction",
    "models.preparation.scaling:BlockScaler",
    "models.preparation.scaling:ReducedScaler",
    "models.shared_space.classification:CCA",
    "models.shared_space.classification:Contrastive",
    "models.shared_space.classification:Shared",
    "models.shared_space.classification:TextRegression",
    "models.shared_space.contrastive:ContrastiveProjection",
    "models.shared_space.kernel_cca:ColumnScales",
    "models.shared_space.kernel_cca:KernelCCA",
    "models.shared_space.kernel_cca:KernelCorrelation",
    "models.shared_space.landmarks:LandmarkKernel",
    "models.shared_space.projections:CanonicalCorrelation",
    "models.shared_space.projections:EncodersSpace",
    "models.shared_space.projections:TextSpace",
    "models.shared_space.zero_shot:ZeroShot",
    "models.softmax.problem:Solution",
    "pipeline.use.conformal:LeftOut",
    "pipeline.use.fitted:FittedCell",
    "pipeline.use.fitted:FittedModel",
})
# What earlier bundles called classes of the list above: their attributes are the same.
RENAMED = {"sklearn.feature_extraction.text:TfidfTransformer": "features.texts.counting:"
           "InverseFrequencies"}
# Networks of these classes are made again from the arguments that they were made with.
MODULES = frozenset({
    "models.neural.attention_network:AveragedPairAttention",
    "models.neural.attention_network:PairAttention",
    "models.neural.cross_attention_network:AveragedCrossAttention",
    "models.neural.cross_attention_network:CrossAttentionNetwork",
    "models.neural.pooled_network:GatedUnit",
    "models.neural.pooled_network:TwoBranches",
})
# Groups of parameters, which are checked again when they are made.
SETTINGS = frozenset({
    "features.networks.finetuning:Finetune",
    "features.pictures.augmentation:Augment",
})
# Parts of fitted scikit-learn estimators, beyond those that skops knows to be harmless.
SKLEARN = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance",
    "sklearn.metrics._dist_metrics.EuclideanDistance32",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
)
# What fitted scikit-learn estimators of bundles consist of. skops makes any estimator: compiled
# code of some, such as support vector machines with kernels, reads wherever their arrays say.
ESTIMATORS = frozenset({
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neighbors._classification.KNeighborsClassifier",
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.svm._classes.LinearSVC",
    "sklearn.tree._classes.DecisionTreeClassifier",
})


def class_of(name: str, allowed: frozenset[str]) -> type:
    """The class of a name. Raises ValueError where it is not one of those allowed."""
    name = RENAMED.get(name, name)
    of_plugin = plugin_classes().get(name)
    if of_plugin is not None:
        return of_plugin
    if name not in allowed:
        raise ValueError(f"it holds an object of class {name}, which no bundle of ours has")
    module, _, qualified = name.partition(":")
    cls = getattr(import_module(module), qualified)
    assert isinstance(cls, type)
    return cls
