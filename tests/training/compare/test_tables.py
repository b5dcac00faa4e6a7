from training.compare.tables import Table, csv_text, latex, markdown

TABLE = Table("mAP & more", ["method", "mean"], [["c_cca", "0.8 ± 0.1"], ["a|b", "-"]])


def test_markdown_has_a_line_per_entry() -> None:
    text = markdown([TABLE], ["one remark"])
    assert "| method | mean |\n| --- | --- |\n| c_cca | 0.8 ± 0.1 |\n" in text
    assert "| a\\|b | - |" in text
    assert text.endswith("- one remark\n")


def test_latex_escapes_what_it_takes_for_commands() -> None:
    text = latex([TABLE], ["one remark"])
    assert text.startswith("% one remark\n")
    assert r"\caption{mAP \& more}" in text
    assert r"c\_cca & 0.8 $\pm$ 0.1 \\" in text


def test_csv_keeps_every_row_and_joins_lists() -> None:
    rows = [{"method": "cca", "mean": None, "seeds": [0, 1]}]
    assert csv_text(rows) == "method,mean,seeds\ncca,,0 1\n"
