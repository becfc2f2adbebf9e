"""What a density with its random effects integrated out offers the sampler, whichever way they are integrated."""

from typing import Any, Protocol

from bayesglmm.kernel.derive import Derived
from bayesglmm.kernel.layout import Internal
from bayesglmm.types import FloatArray, IntArray


class Integrated(Protocol):
    """A compiled density of coefficients, SDs, auxiliary parameters and correlations, with its data.

    The flat vector holds the coefficients that are sampled, the SDs block by block, the auxiliary parameters, then the correlations of each
    block.
    """

    @property
    def kinds(self) -> IntArray:
        """Shape (s, 2): transform and prior of every scalar that is sampled."""

    @property
    def numbers(self) -> FloatArray:
        """Shape (s, 5): their bounds and the numbers of their priors."""

    @property
    def internal(self) -> Internal:
        """Centering and basis of X."""

    @property
    def sampled(self) -> IntArray:
        """Positions of the internal coefficients that are sampled; the others are integrated out too."""

    @property
    def auxiliary(self) -> tuple[str, ...]:
        """Names of the auxiliary parameters, in order."""

    @property
    def size(self) -> int:
        """Length of the flat vector."""

    @property
    def record(self) -> IntArray:
        """Sizes, addresses and ``GO_ON``, uint64; whoever holds this object holds the arrays."""

    @property
    def cost(self) -> float:
        """Multiply-adds of one gradient; an exponential counts 20."""

    @property
    def described(self) -> str:
        """What was integrated and how, as one clause."""

    def pointer(self) -> Any:
        """Return the compiled function that the sampler calls; compiled at the first use, and kept on disk."""

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return the log density (up to one constant) and its gradient at x, shape (d,)."""

    def derive(self, flat: FloatArray, seed: int, *, effects: type | None) -> Derived:
        """Turn draws into parameters on the user's scale; what was integrated out is drawn from its exact conditional distribution.

        Parameters
        ----------
        flat
            Shape (chain, draw, d).
        seed
            Seed of the random numbers behind what is drawn.
        effects
            ``np.float64``, ``np.float32``, or None to leave the random effects out.
        """
