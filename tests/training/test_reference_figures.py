"""The classical methods on Wikipedia reach the figures they are known for."""

import os
from pathlib import Path

import pytest

from crossmodal.features import write_features
from training.datasets.wikipedia import read_wikipedia
from training.protocol.evaluate import evaluate_run
from training.run import FitRequest, fit


@pytest.fixture(scope="module")
def wikipedia(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set as a features file."""
    place = os.environ.get("EARSHOT_TEST_DATA")
    if not place:
        pytest.skip("EARSHOT_TEST_DATA is unset")
    path = tmp_path_factory.mktemp("wikipedia") / "features.h5"
    write_features(path, read_wikipedia(Path(place) / "wikipedia"))
    return path


def mean_average_precision(
    path: Path, out: Path, method: str, **settings: str
) -> dict[str, float]:
    data = read_wikipedia(Path(os.environ["EARSHOT_TEST_DATA"]) / "wikipedia")
    request = FitRequest(data=path, method=method, overrides=settings)
    run = fit(request, data, out, lambda values: None)
    summary = evaluate_run(run, data).summary()["directions"]
    return {name: values["mean_average_precision"] for name, values in summary.items()}


def test_cca_gives_the_known_figures(wikipedia: Path, tmp_path: Path) -> None:
    found = mean_average_precision(
        wikipedia, tmp_path / "run", "cca", k="7", ridge="0.1", standardize="true"
    )
    assert found["visual2text"] == pytest.approx(0.252, abs=0.01)
    assert found["text2visual"] == pytest.approx(0.205, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "visual2text", "text2visual"),
    [("c_cca", 0.264, 0.205), ("posterior_product", 0.315, 0.237)],
)
def test_method_chosen_on_validation_reaches_the_known_figures(
    wikipedia: Path, tmp_path: Path, method: str, visual2text: float, text2visual: float
) -> None:
    found = mean_average_precision(wikipedia, tmp_path / "run", method)
    assert found["visual2text"] >= visual2text - 0.015
    assert found["text2visual"] >= text2visual - 0.015
