import re

from matplotlib.figure import Figure

from training.report.drawing import as_svg, drawn, panels, style, write_cell


def small() -> Figure:
    with drawn():
        canvas, ((panel,),) = panels(1, 1, width=3, height=2)
        panel.plot([0, 1], [0, 1], **style(0).line, label="one")
        panel.imshow([[0, 1]])
        panel.legend()
    return canvas


def test_entries_of_one_figure_differ_without_color() -> None:
    looks = [style(number) for number in range(8)]
    assert len({str(look.dash) for look in looks}) == 8
    assert len({look.marker for look in looks}) == 8
    assert len({look.hatch for look in looks}) == 8
    assert len({look.color for look in looks}) == 8
    repeated = [(s.color, str(s.dash), s.marker) for s in map(style, range(40))]
    assert len(set(repeated)) == 40


def test_same_figure_gives_the_same_text() -> None:
    assert as_svg(small(), "a") == as_svg(small(), "a")


def test_drawing_names_no_address_and_only_its_own_parts() -> None:
    svg = as_svg(small(), "plot")
    assert svg.startswith("<svg")
    assert "http" not in svg
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("plot-") for name in ids)
    used = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
    assert used
    assert set(used) <= set(ids)


def test_two_drawings_share_no_id() -> None:
    first, second = (re.findall(r'\bid="([^"]+)"', as_svg(small(), n)) for n in "ab")
    assert not set(first) & set(second)


def test_cells_are_written_light_on_dark() -> None:
    canvas, ((panel,),) = panels(1, 1, width=3, height=2)
    write_cell(panel, 0, 1, "7", light=True)
    write_cell(panel, 0, 0, "3", light=False)
    assert [text.get_color() for text in panel.texts] == ["white", "#222222"]
    assert panel.texts[0].get_position() == (1, 0)
    assert canvas.axes == [panel]
