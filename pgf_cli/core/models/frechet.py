"""The paper's Frechet operator: one selective recurrence whose input is held exactly between two steps.

    delta = softplus(dt_proj u),  B = B_proj u,  C = C_proj u,  A = -exp(A_log)
    h_t = exp(delta_t A) h_(t-1) + phi1(delta_t A) B_t u_t
    y_t = softplus(C_t . h_t + D u_t) max(redshift_scale, 1/2)

u is the one-hot sequence itself or its embedding; N is the zero vector. ``forward`` is the definition in
differentiable torch; ``jvp`` is its analytic derivative on stacks (see ``core.ops``), ``vjp`` its analytic adjoint.

Source: arXiv 2512.23068; tensor names of its published code, from which phi1 differs by being exact.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.embedding import standard_normal_embedding
from pgf_cli.core.models.protocol import InitialAdjoint, StreamingModel, TileAdjoint, TileDual
from pgf_cli.core.one_hot import X_COLUMNS
from pgf_cli.core.ops import frechet_scan
from pgf_cli.core.ops.frechet_scan import Scan
from pgf_cli.core.ops.linear import Linear, linear, linear_jvp, weight_vjp
from pgf_cli.errors import PgfError

BASES = 4
LOWEST_SCALE = 0.5


class FrechetSizesError(PgfError, ValueError):
    """A Frechet operator wider than a one-hot has no embedding."""

    def __init__(self, d_model: int) -> None:
        super().__init__(
            f"A Frechet operator of {d_model} channels cannot read a one-hot of {BASES}: "
            f"add embed.weight ({BASES}, {d_model}) to it."
        )


@dataclass(frozen=True, kw_only=True)
class FrechetConfig:
    """Sizes of a Frechet operator."""

    d_model: int
    """Width D of the input and of the recurrence; 4 where the one-hot itself is the input."""
    d_state: int
    """State size N per channel."""
    window: int = 3
    """How many of the first inputs the initial state is estimated from."""
    embedded: bool
    """Whether bases are embedded; without it the one-hot is the input."""
    projection_bias: bool = True
    """Whether dt_proj, B_proj and C_proj have a bias."""

    def __post_init__(self) -> None:
        if not self.embedded and self.d_model != BASES:
            raise FrechetSizesError(self.d_model)


class FrechetModel(StreamingModel):
    """The paper's operator over single bases; its output is ``hidden``, (T, D)."""

    output: OutputLayer = "hidden"

    def __init__(self, config: FrechetConfig) -> None:
        super().__init__()
        self.config = config
        self.lookahead = config.window
        D, N, bias = config.d_model, config.d_state, config.projection_bias
        self.A_log = nn.Parameter(torch.zeros(N))
        self.dt_proj = Linear(D, D, bias=bias)
        self.B_proj = Linear(D, N, bias=bias)
        self.C_proj = Linear(D, N, bias=bias)
        self.D = nn.Parameter(torch.ones(D))
        self.redshift_scale = nn.Parameter(torch.tensor(2.0))
        self.init_estimator = Linear(D * config.window, D * N)
        if config.embedded:
            self.embed = standard_normal_embedding(BASES, D)

    @property
    def width(self) -> int:
        """That of the recurrence, D."""
        return self.config.d_model

    def initial_state(self, first: Tensor) -> Tensor:
        """Estimate h (D, N) from the first ``window`` inputs; zeros for a sequence shorter than that."""
        if first.shape[0] < self.lookahead:
            return self.D.new_zeros(self.config.d_model, self.config.d_state)
        h: Tensor = self.init_estimator(self._inputs(first).flatten())
        return h.view(self.config.d_model, self.config.d_state)

    def initial_jvp(self, first: Tensor, first_dot: Tensor) -> tuple[Tensor, Tensor]:
        """The same with its tangents along first_dot (K, ., 5); the bias has none."""
        stack = torch.cat([first[None], first_dot])
        sizes = (len(stack), self.config.d_model, self.config.d_state)
        if first.shape[0] < self.lookahead:
            h = self.D.new_zeros(sizes)
        else:
            u = self._inputs_jvp(stack).flatten(1)[:, None]
            h = linear_jvp(u, self.init_estimator.weight, self.init_estimator.bias).view(sizes)
        return h[0], h[1:]

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read one tile; see ``StreamingModel.forward``."""
        u = self._inputs(x)
        A, scale = self._state_matrix(), self._scale()
        scan = Scan(self.dt_proj(u), A, self.B_proj(u), self.C_proj(u), self.D, u, scale, state)
        return frechet_scan.reference.forward(scan)

    def jvp(self, x: Tensor, x_dot: Tensor, state: Tensor, state_dot: Tensor) -> TileDual:
        """Read one tile and its K directions; see ``StreamingModel.jvp``."""
        u = self._inputs_jvp(torch.cat([x[None], x_dot]))
        step = linear_jvp(u, self.dt_proj.weight, self.dt_proj.bias)
        B = linear_jvp(u, self.B_proj.weight, self.B_proj.bias)
        C = linear_jvp(u, self.C_proj.weight, self.C_proj.bias)
        A, D, scale = self._state_matrix(), self.D, self._scale()
        primal = Scan(step[0], A, B[0], C[0], D, u[0], scale, state)
        dot = Scan(step[1:], A, B[1:], C[1:], D, u[1:], scale, state_dot)
        scanned = frechet_scan.jvp(primal, dot)
        return TileDual(scanned.y[0], scanned.y[1:], scanned.h, scanned.h_dot)

    def initial_vjp(self, first: Tensor, state_bar: Tensor, *, parameters: bool = False) -> InitialAdjoint:
        """Pull the initial state's adjoint (D, N) back; see ``StreamingModel.initial_vjp``."""
        bars = {name: torch.zeros_like(weight) for name, weight in self.named_parameters() if parameters}
        if first.shape[0] < self.lookahead:
            return InitialAdjoint(torch.zeros_like(first), bars if parameters else None)
        h_bar, u = state_bar.reshape(1, -1), self._inputs(first)
        u_bar = linear(h_bar, self.init_estimator.weight.T).view(u.shape)
        if parameters:
            bars["init_estimator.weight"] = weight_vjp(u.reshape(1, -1), h_bar)
            bars["init_estimator.bias"] = h_bar[0]
        if parameters and self.config.embedded:
            bars["embed.weight"] = weight_vjp(u_bar, first[:, :BASES])
        return InitialAdjoint(self._inputs_vjp(u_bar), bars if parameters else None)

    def vjp(
        self, x: Tensor, state: Tensor, y_bar: Tensor, state_bar: Tensor, *, parameters: bool = False
    ) -> TileAdjoint:
        """Compute a tile again and differentiate it backwards; see ``StreamingModel.vjp``."""
        u, A, scale = self._inputs(x), self._state_matrix(), self._scale()
        step = linear(u, self.dt_proj.weight, self.dt_proj.bias)
        B = linear(u, self.B_proj.weight, self.B_proj.bias)
        C = linear(u, self.C_proj.weight, self.C_proj.bias)
        primal = Scan(step, A, B, C, self.D, u, scale, state)
        y, _, edges = frechet_scan.forward(primal)
        bars = frechet_scan.vjp(primal, edges, y_bar, state_bar)
        u_bar = (
            bars.u
            + linear(bars.step, self.dt_proj.weight.T)
            + linear(bars.B, self.B_proj.weight.T)
            + linear(bars.C, self.C_proj.weight.T)
        )
        named = None
        if parameters:
            projections = {"dt_proj": bars.step, "B_proj": bars.B, "C_proj": bars.C}
            all_bars = {f"{name}.weight": weight_vjp(u, bar) for name, bar in projections.items()}
            all_bars |= {f"{name}.bias": bar.sum(0) for name, bar in projections.items()}
            held = self.redshift_scale < LOWEST_SCALE
            all_bars |= {
                "A_log": (bars.A * A).sum(0),
                "D": bars.D,
                "redshift_scale": torch.where(held, 0.0, bars.scale),
                "embed.weight": weight_vjp(u_bar, x[:, :BASES]),
            }
            named = {name: all_bars.get(name, torch.zeros_like(weight)) for name, weight in self.named_parameters()}
        return TileAdjoint(y, self._inputs_vjp(u_bar), bars.h, named)

    def _inputs_vjp(self, u_bar: Tensor) -> Tensor:
        """The adjoint of x (T, 5) for one of the inputs u (T, D)."""
        bases_bar = linear(u_bar, self.embed.weight) if self.config.embedded else u_bar
        return functional.pad(bases_bar, (0, X_COLUMNS - BASES))

    def _inputs(self, x: Tensor) -> Tensor:
        """The inputs u (T, D) of the operator for x (T, 5)."""
        return x[:, :BASES] @ self.embed.weight if self.config.embedded else x[:, :BASES]

    def _inputs_jvp(self, stack: Tensor) -> Tensor:
        """The inputs u (1 + K, T, D) of the operator for a stack of x (1 + K, T, 5)."""
        bases = stack[..., :BASES]
        return linear(bases, self.embed.weight.T) if self.config.embedded else bases

    def _state_matrix(self) -> Tensor:
        """A, (D, N): one row for all channels."""
        return -torch.exp(self.A_log).expand(self.config.d_model, -1)

    def _scale(self) -> Tensor:
        return self.redshift_scale.clamp(min=LOWEST_SCALE)
