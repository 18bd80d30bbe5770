"""A fit: samples of a genome -> adjoint sweeps -> optimiser -> checkpoint; and how well the result predicts."""

from pgf_cli.training.comparison import Evaluation, RegionScore, evaluate, load_language_model
from pgf_cli.training.errors import DivergedError, NoPredictionError, ResumeError, TrainConfigError, TrainingDataError
from pgf_cli.training.evaluation import Score, score_sequence
from pgf_cli.training.fit import TrainingFiles, train
from pgf_cli.training.gradients import set_gradients
from pgf_cli.training.initial import initial_weights
from pgf_cli.training.markov import MarkovScore, compare_orders
from pgf_cli.training.samples import held_out_regions, training_bases
from pgf_cli.training.settings import DataSettings, ModelSettings, OptimiserSettings, TrainSettings, read_settings

__all__ = [
    "TrainSettings",
    "ModelSettings",
    "DataSettings",
    "OptimiserSettings",
    "read_settings",
    "TrainingFiles",
    "train",
    "set_gradients",
    "initial_weights",
    "training_bases",
    "held_out_regions",
    "Score",
    "score_sequence",
    "Evaluation",
    "RegionScore",
    "evaluate",
    "load_language_model",
    "MarkovScore",
    "compare_orders",
    "TrainConfigError",
    "TrainingDataError",
    "ResumeError",
    "DivergedError",
    "NoPredictionError",
]
