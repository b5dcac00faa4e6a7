import re

from training.report.page import Section, document, figure, folded, table


def test_numbers_stand_on_the_right_and_words_on_the_left() -> None:
    lines = [
        ["cca", "0.25 ± 0.01", "best", "0.1 to 0.2", "1,024"],
        ["x", "-", "3", "", "7"],
    ]
    html = table(["method", "mAP", "p", "interval", "size"], lines)
    headings = re.findall(r'<th( class="n")?>(\w+)</th>', html)
    assert [name for mark, name in headings if mark] == ["mAP", "p", "interval", "size"]


def test_best_lines_are_marked() -> None:
    html = table(["a"], [["x"], ["y"], ["z"]], best=[1])
    assert re.findall(r'<tr class="best"><td>(.)</td>', html) == ["y"]


def test_text_from_data_never_becomes_markup() -> None:
    evil = '<script>alert("x")</script>'
    parts = [
        table([evil], [[evil]], caption=evil),
        figure("<svg/>", evil),
        folded(evil, []),
    ]
    page = document(evil, [], [Section("One", parts)])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 7


def test_empty_sections_are_left_out_of_page_and_contents() -> None:
    page = document(
        "t", [], [Section("Here it is", ["<p>x</p>"]), Section("Not there", [])]
    )
    assert 'href="#here-it-is"' in page
    assert '<section id="here-it-is">' in page
    assert "Not there" not in page
