from dataclasses import asdict

from training.compare.tuning import search, space
from training.methods.catalog import METHODS


def test_the_search_starts_at_the_preset_and_keeps_to_its_space() -> None:
    method = METHODS["supcon"]
    start = method.presets["tuned"]
    found = search(method, start, 9, fixed={"rate": "1e-3"})
    values = space(method, start, fixed={"rate": "1e-3"})
    assert found[0] == start
    assert len(found) == 9
    assert len({str(asdict(settings)) for settings in found}) == 9
    assert {"dropout", "hidden", "temperature"} <= set(values)
    assert "rate" not in values
    assert "epochs" not in values  # every candidate may cost the same
    for settings in found[1:]:
        for name, value in settings.to_json().items():
            assert value == start.to_json()[name] or value in values[name]


def test_a_methods_own_grid_says_the_values() -> None:
    method = METHODS["c_cca"]
    values = space(method, method.presets["tuned"], fixed=())
    assert values["k"] == method.grids[0]["k"]
    assert values["ridge"] == method.grids[0]["ridge"]


def test_every_seed_tries_the_same_and_small_spaces_end() -> None:
    method = METHODS["cca"]
    start = method.presets["tuned"]
    assert search(method, start, 6, fixed=()) == search(method, start, 6, fixed=())
    everything = search(method, start, 1000, fixed=())
    grid = method.grids[0]
    assert len(everything) == len(grid["k"]) * len(grid["ridge"])
    only = METHODS["random"].presets["tuned"]
    assert search(METHODS["random"], only, 4, fixed=("dim",)) == [only]
