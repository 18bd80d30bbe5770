import pytest

from pgf_cli.bench.framework.experiment import Setting
from pgf_cli.progress import SilentProgress


@pytest.fixture
def quick():
    """The smallest effort, on one thread, in silence."""
    return Setting("quick", seed=0, threads=1, seconds=None, progress=SilentProgress())
