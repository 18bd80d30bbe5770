"""Families that users write: the page's toy is run as it stands there, and every free check fails on a wrong family."""

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import pgf_cli
from pgf_cli.checkpoints import CheckpointError, MissingTensorError, read_checkpoint
from pgf_cli.checkpoints.families.frechet import FRECHET
from pgf_cli.checkpoints.families.mamba import MAMBA
from pgf_cli.checkpoints.own_family import ModelFamilyError
from pgf_cli.checkpoints.sizes import Axis
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.models.protocol import TileAdjoint, TileDual
from pgf_cli.errors import UsageError
from pgf_cli.testing import CHECKS, check_family

PAGE = Path(__file__).parents[2] / "docs" / "own-family.md"
by_name = {check.__name__: check for check in CHECKS}


@pytest.fixture
def leaky(tmp_path, monkeypatch):
    """The page's module, importable, and a checkpoint for it."""
    (code, tests) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "leaky.py").write_text(code)
    (tmp_path / "code" / "test_leaky.py").write_text(tests)
    monkeypatch.syspath_prepend(tmp_path / "code")
    yield save(tmp_path / "leaky.pt")
    for name in ("leaky", "test_leaky", "broken", "planted"):
        sys.modules.pop(name, None)


def save(path, d_model=3, **extra):
    torch.manual_seed(0)
    tensors = {"rows": torch.randn(5, d_model), "decay": torch.randn(d_model), "head": torch.randn(d_model, 4)}
    torch.save(tensors | extra, path)
    return path


def test_the_page_s_tests_pass_on_the_page_s_family(leaky):
    import test_leaky

    (mark,) = test_leaky.test_leaky.pytestmark
    for check in mark.args[1]:
        test_leaky.test_leaky(check)
    table = PAGE.read_text().split("| check |")[1]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(by_name)


def test_our_own_families_pass():
    by_name["files_are_checked"](
        MAMBA, d_model=4, n_layer=2, d_inner=6, d_state=3, d_conv=4, dt_rank=2, vocab_size=5, head=False
    )
    check_family(FRECHET, d_model=4, d_state=3, window=2, embedded=False, projection_bias=True)


class Sum(StreamingModel):
    """A running sum of the bases' rows; what is wrong with the classes below is one line each."""

    sizes = {"d_model": Axis("rows", 2, 1)}  # noqa: RUF012
    output = "hidden"

    def __init__(self, d_model: int):
        super().__init__()
        self.rows = nn.Parameter(torch.empty(5, d_model))

    def initial_state(self, first):
        return self.rows.new_zeros(self.rows.shape[1])

    def forward(self, x, state):
        y = state + torch.tanh(x @ self.rows).cumsum(0)
        return y, y[-1]


class LooksAhead(Sum):
    def forward(self, x, state):
        y, after = super().forward(x, state)
        return y + x[-1, 0], after


class ForgetsItsState(Sum):
    def forward(self, x, state):
        return super().forward(x, torch.zeros_like(state))


class Cut(Sum):
    def forward(self, x, state):
        return super().forward(x, state.detach())


class WritesIntoItsState(Sum):
    def forward(self, x, state):
        y, after = super().forward(x, state)
        state.copy_(after)
        return y, state


class Grows(Sum):
    def initial_state(self, first):
        return self.rows.new_zeros(0, self.rows.shape[1])

    def forward(self, x, state):
        seen = torch.cat([state, x @ self.rows])
        return seen.cumsum(0)[-len(x) :], seen


class WrongTangent(Sum):
    def jvp(self, x, x_dot, state, state_dot):
        dual = super().jvp(x, x_dot, state, state_dot)
        return TileDual(dual.y, 1.001 * dual.y_dot, dual.state, dual.state_dot)


class WrongAdjoint(Sum):
    def vjp(self, x, state, y_bar, state_bar, *, parameters=False):
        found = super().vjp(x, state, y_bar, state_bar, parameters=parameters)
        return TileAdjoint(found.y, 1.001 * found.x_bar, found.state_bar, found.parameter_bars)


class AlwaysSingle(Sum):
    def forward(self, x, state):
        y, after = super().forward(x, state)
        return y.float(), after.float()


class NoProbabilities(Sum):
    output = "logprobs"


class KeepsSomething(Sum):
    seen = 0

    def forward(self, x, state):
        self.seen += 1
        y, after = super().forward(x, state)
        return y + self.seen, after


WRONG = {
    LooksAhead: ("tiles_change_nothing", "in tiles of 1 and in one"),
    ForgetsItsState: ("tiles_change_nothing", "the output in tiles of 1"),
    Cut: ("tangent_is_finite_differences", "J v and finite differences over 18 bases"),
    WritesIntoItsState: ("state_is_of_fixed_size_and_left_alone", "changes the state"),
    Grows: ("state_is_of_fixed_size_and_left_alone", "after 7 bases"),
    WrongTangent: ("tangent_is_finite_differences", "J v and finite differences"),
    WrongAdjoint: ("adjoint_identity_holds", "over 1 bases are apart"),
    AlwaysSingle: ("output_is_in_its_form", "where the weights are in torch.float64"),
    NoProbabilities: ("output_is_in_its_form", "logprobs have 3 columns"),
    KeepsSomething: ("state_is_of_fixed_size_and_left_alone", "two outputs"),
}


def test_the_right_family_passes_all():
    check_family(Sum, d_model=3)


@pytest.mark.parametrize("family", WRONG, ids=lambda family: family.__name__)
def test_a_wrong_family_is_found_out(family):
    name, message = WRONG[family]
    with pytest.raises(AssertionError, match=re.escape(message)):
        by_name[name](family, d_model=3)


def test_a_size_that_is_not_checked_is_found_out():
    class Ignores(Sum):
        def __init__(self, d_model: int, gain: float = 1.0):
            super().__init__(d_model)

    with pytest.raises(AssertionError, match="was read from tensors of"):
        by_name["files_are_checked"](Ignores, d_model=3, gain=2.0)


def test_a_run_s_model_is_the_class_that_was_named(leaky):
    checkpoint = read_checkpoint(leaky, None, "leaky:Leaky")
    assert (checkpoint.architecture, checkpoint.layout) == ("leaky", "bare tensors")
    assert checkpoint.output_layers == ("logprobs", "logits", "hidden")
    source = leaky.parent / "code" / "leaky.py"
    assert checkpoint.own_family.name == "leaky:Leaky"
    assert checkpoint.own_family.source == source
    assert checkpoint.own_family.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    by_text = pgf_cli.load_model(leaky, dtype="float64", device="cpu", model_family="leaky:Leaky")
    by_class = pgf_cli.load_model(leaky, dtype="float64", device="cpu", model_family=sys.modules["leaky"].Leaky)
    found, same = (pgf_cli.sensitivity(each, "ACGTTGCANA", ghost_distance=2) for each in (by_text, by_class))
    assert found.certificate.passed
    assert (found.gradient == same.gradient)[:8].all()


def test_a_file_is_checked_as_any_other(leaky):
    save(leaky, of_no_model=torch.ones(2))
    assert read_checkpoint(leaky, None, "leaky:Leaky").ignored == ("of_no_model",)
    torch.save({"state_dict": {f"model.{k}": v for k, v in torch.load(leaky).items() if k != "decay"}}, leaky)
    with pytest.raises(MissingTensorError, match="has no tensor decay"):
        read_checkpoint(leaky, None, "leaky:Leaky")


def test_a_prefix_that_the_family_itself_has_is_left(tmp_path):
    class Inside(Sum):
        sizes = {"d_model": Axis("net.weight", 2, 0)}  # noqa: RUF012

        def __init__(self, d_model: int):
            StreamingModel.__init__(self)
            self.net = nn.Linear(5, d_model, bias=False)
            self.rows = self.net.weight.T

    weight = torch.randn(3, 5)
    for names in ("net.weight", "module.model.net.weight"):
        torch.save({names: weight}, tmp_path / "model.pt")
        assert torch.equal(read_checkpoint(tmp_path / "model.pt", None, Inside).tensors["net.weight"], weight)


class Asks(Sum):
    """Has a setting that no tensor decides."""

    def __init__(self, d_model: int, gain: float):
        super().__init__(d_model)
        self.gain = gain


def test_what_tensors_do_not_decide_is_asked_for_by_name(tmp_path):
    torch.save({"rows": torch.ones(5, 2)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r'which do not decide gain: move it .* config.json .*\{"gain": \.\.\.\}'):
        read_checkpoint(tmp_path / "model.pt", None, Asks)
    (tmp_path / "model.pt").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="has no gain, which the tensors do not decide"):
        read_checkpoint(tmp_path, None, Asks)
    (tmp_path / "config.json").write_text(json.dumps({"gain": 0.5, "d_model": 2}))
    assert vars(read_checkpoint(tmp_path, None, Asks).config) == {"d_model": 2, "gain": 0.5}
    (tmp_path / "config.json").write_text(json.dumps({"gain": 0.5, "d_model": 3}))
    with pytest.raises(CheckpointError, match="says d_model = 3, but in"):
        read_checkpoint(tmp_path, None, Asks)


NO_FAMILY = 7


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("leaky", "is not of the form package.module:Class"),
        ("no_such_package.part:Class", "there is no module no_such_package; install its package"),
        ("leaky.part:Class", "there is no module leaky.part"),
        ("leaky:Lekay", "leaky has no Lekay"),
        ("leaky:nn", "leaky:nn is a module, not a model family"),
        ("leaky:Axis", "is a type, not a model family"),
        ("leaky:StreamingModel", "has no sizes; say which tensor decides"),
        ("broken:Class", "importing broken failed with ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_family_is_one_line(leaky, named, expected):
    (leaky.parent / "code" / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ModelFamilyError) as caught:
        read_checkpoint(leaky, None, named)
    message = str(caught.value)
    assert message.startswith("--model-family ")
    assert expected in message
    assert "\n" not in message


def test_a_class_that_takes_what_no_tensor_and_no_setting_can_say_is_refused():
    class Untyped(Sum):
        def __init__(self, d_model):
            super().__init__(d_model)

    class Other(Sum):
        sizes = {"width": Axis("rows", 2, 1)}  # noqa: RUF012

    for wrong, expected in ((Untyped, "takes d_model, which is not annotated"), (Other, "sizes names width")):
        with pytest.raises(UsageError, match=expected):
            by_name["output_is_in_its_form"](wrong, d_model=3)


def test_code_in_the_checkpoint_s_folder_is_not_run(leaky, tmp_path, monkeypatch):
    folder = tmp_path / "downloaded"
    folder.mkdir()
    save(folder / "pytorch_model.bin")
    (folder / "planted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(ModelFamilyError, match="lies in the checkpoint's folder"):
        read_checkpoint(folder, None, "planted:Family")
    assert not (tmp_path / "ran").exists()
