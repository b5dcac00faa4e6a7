"""The page, driven as a person drives it: in a browser, by pointer and by keyboard."""

from __future__ import annotations

import io
import re
import time
import wave
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.service.web.fake_service import FakeService

RESULTS = "#results .card:not(.waiting)"


def tone() -> dict[str, Any]:
    """Two seconds of a tone that swells as sin², as the file chooser takes them."""
    rate_hz = 8_000
    time_s = np.arange(2 * rate_hz) / rate_hz
    samples = 20_000 * np.sin(2 * np.pi * 440 * time_s) * np.sin(np.pi * time_s / 2) ** 2
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return {"name": "tone.wav", "mimeType": "audio/wav", "buffer": held.getvalue()}


def search_with_tone(page: Page, base_url: str) -> None:
    """Open the page and search with a wav file."""
    page.goto(base_url)
    page.get_by_label("Choose a sound, a video or a picture").set_input_files([tone()])
    page.locator(f"{RESULTS} .score").first.wait_for()


def until(page: Page, condition: str) -> None:
    """Wait for a JavaScript condition; the page's policy forbids Playwright's own way."""
    eventually(page, lambda: page.evaluate(condition), condition)


def eventually(page: Page, holds: Callable[[], Any], what: str) -> None:
    """Wait until something holds, for two minutes at most, while the page goes on."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, f"never came true: {what}"
        page.wait_for_timeout(50)


def shown_ids(page: Page) -> list[str]:
    """The ids of the results, in the order shown."""
    cards = page.locator(RESULTS)
    return cards.evaluate_all("cards => cards.map((card) => card.dataset.id)")


def sent_along(service: FakeService) -> list[dict[str, Any]]:
    """What was asked for along with each file, in the order in which it arrived."""
    return [one["params"] for one in service.searches()]


def ids(results: list[dict[str, Any]]) -> list[str]:
    return [result["id"] for result in results]


# Journeys: they hold for any service, so they may be pointed at a running one.


def test_journey_a_sound_brings_ranked_results(page: Page, base_url: str) -> None:
    search_with_tone(page, base_url)

    ranks = page.locator(f"{RESULTS} .rank").all_inner_texts()
    scores = [
        float(text.replace("−", "-"))
        for text in page.locator(f"{RESULTS} .score-number").all_inner_texts()
    ]
    assert [int(re.sub(r"\D", "", rank)) for rank in ranks] == list(
        range(1, len(ranks) + 1)
    )
    assert len(scores) == len(ranks)
    assert scores == sorted(scores, reverse=True)
    expect(page.locator(".query-name")).to_have_text("tone.wav")


def test_journey_a_result_becomes_the_query_and_back_leads_back(
    page: Page, base_url: str
) -> None:
    search_with_tone(page, base_url)
    before = shown_ids(page)
    label = page.locator(f"{RESULTS} h3").nth(1).inner_text()

    page.locator(RESULTS).nth(1).click(position={"x": 60, "y": 60})
    expect(page.locator(".query-name")).to_have_text(label)
    expect(page).to_have_url(re.compile(re.escape(before[1]) + "$"))
    page.locator(f"{RESULTS} .score").first.wait_for()
    expect(page.locator("#answers-title")).to_be_focused()

    page.go_back()
    expect(page.locator(".query-name")).to_have_text("tone.wav")
    eventually(page, lambda: shown_ids(page) == before, "the first results are back")


def test_journey_the_collection_is_browsed_to_its_end(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/#collection")
    cards = page.locator("#items .card:not(.waiting)")
    cards.first.wait_for()
    more = page.locator("#more-items")
    for _ in range(3):
        if more.is_hidden():
            break
        count = cards.count()
        more.click()
        expect(cards).not_to_have_count(count)
        expect(page.locator("#items .waiting")).to_have_count(0)
    seen = cards.evaluate_all("cards => cards.map((card) => card.dataset.id)")
    assert len(seen) == len(set(seen))
    expect(page.locator("#collection-status")).to_contain_text(
        re.compile(rf"^{len(seen)} of")
    )


def test_journey_the_evaluation_shows_numbers_random_and_curves(
    page: Page, base_url: str
) -> None:
    page.goto(f"{base_url}/#evaluation")
    measures = page.locator(".measure")
    measures.first.wait_for()
    for measure in measures.all():
        value = float(measure.locator(".headline strong").inner_text())
        assert 0 <= value <= 1
        expect(measure.locator(".headline small")).to_contain_text(
            re.compile(r"random 0\.\d+")
        )
        expect(measure.locator("svg.chart .curve")).to_have_count(1)
        expect(measure.get_by_role("row", name=re.compile("^Gallery"))).to_contain_text(
            re.compile(r"\d")
        )


def test_journey_no_view_scrolls_sideways_on_a_phone(page: Page, base_url: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    search_with_tone(page, base_url)
    for view in ("search", "collection", "evaluation"):
        page.locator(f'nav a[data-view="{view}"]').click()
        page.locator(f"#{view} :is(.card:not(.waiting), .measure)").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 390, view
        page.mouse.wheel(50, 0)
        assert page.evaluate("window.scrollX") == 0, view


# Against known answers.


def test_results_are_the_services_in_its_order(page: Page, service: FakeService) -> None:
    search_with_tone(page, service.base_url)

    expected = service.ranking("audio2visual", "file")[:12]
    assert shown_ids(page) == ids(expected)
    first = page.locator(RESULTS).first
    expect(first.locator("h3")).to_have_text(expected[0]["label"])
    expect(first.locator(".score-number")).to_have_text("0.900")
    expect(first).to_contain_text("0.5 s to 1.5 s")
    expect(page.locator("#status")).to_have_text("12 pictures of 30, in 12 ms")
    [asked] = service.searches()
    assert asked["path"] == "/search/audio2visual"
    assert asked["params"] == {"k": 12}
    assert (asked["name"], asked["bytes"]) == ("tone.wav", tone()["buffer"])


def test_more_results_follow_on(page: Page, service: FakeService) -> None:
    search_with_tone(page, service.base_url)
    for count in (24, 30):
        page.locator("#more-results").click()
        expect(page.locator(RESULTS)).to_have_count(count)
    assert shown_ids(page) == ids(service.ranking("audio2visual", "file"))
    assert [asked["params"].get("offset", 0) for asked in service.searches()] == [0, 12, 24]
    expect(page.locator("#more-results")).to_be_hidden()


def test_the_waveform_has_the_shape_of_the_sound(page: Page, service: FakeService) -> None:
    search_with_tone(page, service.base_url)
    expect(page.locator(".query-range")).to_have_text("2.0 s")
    page.locator(".selection").wait_for()
    eventually(page, lambda: max(_heights(page)) > 0.8, "the sound is drawn")
    heights = _heights(page)
    # sin² is 1 in the middle, 1/2 at the quarters and 0.02 at a twentieth
    assert heights[2] > 0.85
    assert heights[1] == pytest.approx(0.5, abs=0.15)
    assert heights[3] == pytest.approx(0.5, abs=0.15)
    assert max(heights[0], heights[4]) < 0.15


def _heights(page: Page) -> list[float]:
    """How high the query's waveform is at five places along it, 1 being the canvas."""
    heights: list[float] = page.locator(".timeline canvas").evaluate(
        """(canvas) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          return [0.05, 0.25, 0.5, 0.75, 0.95].map((share) => {
            let most = 0;
            for (let x = Math.round(width * share) - 4; x < width * share + 4; x += 1) {
              let inked = 0;
              for (let y = 0; y < height; y += 1) {
                inked += data[4 * (y * width + x) + 3] > 60;
              }
              most = Math.max(most, inked);
            }
            return most / height;
          });
        }"""
    )
    return heights


def test_part_of_the_clip_is_chosen_by_keys_and_by_pointer(
    page: Page, service: FakeService
) -> None:
    search_with_tone(page, service.base_url)
    start = page.get_by_role("slider", name="Start of the part")
    start.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(start).to_have_attribute("aria-valuetext", "0.5 s")
    expect(page.locator(".query-range")).to_have_text("0.5 s to 2.0 s of 2.0 s")
    # slow presses are searched with one by one
    chosen = {"k": 12, "start": pytest.approx(0.5), "end": pytest.approx(2.0)}
    eventually(page, lambda: chosen in sent_along(service), "the part is searched")

    box = page.locator(".selection").bounding_box()
    assert box is not None
    middle = box["y"] + 8
    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=4)
    page.mouse.up()
    near = {"start": pytest.approx(1.0, abs=0.05), "end": pytest.approx(1.5, abs=0.05)}
    pulled = {"k": 12, **near}
    eventually(
        page, lambda: pulled in sent_along(service), "what was pulled out is searched"
    )

    before = sent_along(service).count({"k": 12})
    page.get_by_role("button", name="Whole clip").click()
    eventually(
        page, lambda: sent_along(service).count({"k": 12}) > before, "all of it is searched"
    )


def test_another_direction_asks_again_with_the_same_clip(
    page: Page, service: FakeService
) -> None:
    search_with_tone(page, service.base_url)
    with page.expect_response("**/search/**"):
        page.locator("label.direction", has_text="Sound to sounds").click()
    expect(page.locator(RESULTS).first).to_have_attribute(
        "data-id", service.ranking("audio2audio", "file")[0]["id"]
    )
    assert service.searches()[-1]["bytes"] == tone()["buffer"]


def test_only_the_directions_of_the_collection_are_offered(
    page: Page, service: FakeService
) -> None:
    service.directions = ("audio2visual", "visual2audio")
    page.goto(service.base_url)
    radios = page.get_by_role("radio")
    expect(radios).to_have_count(2)
    assert radios.evaluate_all("all => all.map((radio) => radio.value)") == [
        "audio2visual",
        "visual2audio",
    ]


def test_a_picture_is_searched_with_as_a_picture(page: Page, service: FakeService) -> None:
    page.goto(service.base_url)
    pixel = page.request.get(f"{service.base_url}/media/clip-00").body()
    with page.expect_response("**/search/**"):
        page.locator("#file").set_input_files(
            [{"name": "dot.png", "mimeType": "image/png", "buffer": pixel}]
        )
    assert service.searches()[-1]["path"] == "/search/visual2audio"
    expect(page.get_by_role("radio", name="Picture to sounds")).to_be_checked()
    expect(page.locator(".query-stage img")).to_be_visible()


def test_a_dropped_file_is_searched_with(page: Page, service: FakeService) -> None:
    page.goto(service.base_url)
    page.locator(".card").first.wait_for()
    with page.expect_response("**/search/**"):
        page.evaluate(
            """() => {
              const held = new DataTransfer();
              held.items.add(new File(["sound"], "dropped.mp3", { type: "audio/mpeg" }));
              const options = { dataTransfer: held, bubbles: true, cancelable: true };
              document.body.dispatchEvent(new DragEvent("dragover", options));
              document.body.dispatchEvent(new DragEvent("drop", options));
            }"""
        )
    assert service.searches()[-1]["name"] == "dropped.mp3"
    assert service.searches()[-1]["bytes"] == b"sound"
    expect(page.locator("body")).not_to_have_class(re.compile("dragging"))


def test_a_result_is_searched_with_by_its_id(page: Page, service: FakeService) -> None:
    search_with_tone(page, service.base_url)
    second = service.ranking("audio2visual", "file")[1]
    with page.expect_response("**/search/**"):
        page.get_by_role(
            "button", name=f"Search with this: {second['label']}, {second['id']}"
        ).click()
    asked = service.searches()[-1]
    assert asked["json"] == {"id": second["id"], "k": 12}
    own = page.locator(f'{RESULTS}[data-id="{second["id"]}"] .mark')
    marks = page.locator(f"{RESULTS} .mark", has_text="same label")
    results = service.ranking("audio2visual", second["id"])[:12]
    fellows = [
        r for r in results if r["label"] == second["label"] and r["id"] != second["id"]
    ]
    expect(marks).to_have_count(len(fellows))
    if second["id"] in ids(results):
        expect(own).to_have_text("the clip itself")


def test_an_item_without_sound_is_searched_with_by_its_picture(
    page: Page, service: FakeService
) -> None:
    best = service.ranking("audio2visual", "file")[0]["id"]
    service.only_visual = frozenset({best})
    search_with_tone(page, service.base_url)
    with page.expect_response("**/search/**"):
        page.locator(f"{RESULTS} .pick").first.click()
    assert service.searches()[-1]["path"] == "/search/visual2audio"
    expect(page.locator(".query-asks")).to_have_text("searching with its picture")


def test_an_address_with_an_id_opens_that_search(page: Page, service: FakeService) -> None:
    page.goto(f"{service.base_url}/#search/visual2visual/clip-07")
    expect(page.locator(f"{RESULTS} .score")).to_have_count(12)
    assert shown_ids(page) == ids(service.ranking("visual2visual", "clip-07")[:12])


def test_every_item_of_the_collection_is_shown_once(
    page: Page, service: FakeService
) -> None:
    page.goto(f"{service.base_url}/#collection")
    cards = page.locator("#items .card:not(.waiting)")
    expect(cards).to_have_count(24)
    expect(page.locator("#collection-status")).to_have_text("24 of 30 items")
    page.locator("#more-items").click()
    expect(cards).to_have_count(30)
    shown = cards.evaluate_all("cards => cards.map((card) => card.dataset.id)")
    assert shown == [f"clip-{number:02d}" for number in range(30)]
    expect(page.locator("#more-items")).to_be_hidden()
    until(page, "document.activeElement.closest('.card')?.dataset.id === 'clip-24'")


def test_a_label_is_text_whatever_it_holds(page: Page, service: FakeService) -> None:
    page.goto(f"{service.base_url}/#collection")
    expect(page.locator("#items .card h3").nth(4)).to_have_text("<b>wave</b>")
    expect(page.locator("#items .card b")).to_have_count(0)


def test_the_evaluation_card_repeats_the_services_numbers(
    page: Page, service: FakeService
) -> None:
    page.goto(f"{service.base_url}/#evaluation")
    card = page.locator('.measure[data-direction="visual2audio"]')
    expect(card.locator(".headline strong")).to_have_text("0.800")
    expect(card.locator(".headline small")).to_have_text("random 0.200 · 4.0 times that")
    rows = {
        cells[0]: cells[1:]
        for cells in card.locator(".numbers")
        .first.locator("tr")
        .evaluate_all(
            "rows => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
        )
    }
    assert rows["Mean average precision"] == ["0.800", "0.200"]
    assert rows["without its own pair"] == ["0.780", "–"]
    assert rows["Recall at 1"] == ["0.400", "0.034"]
    assert rows["Recall at 10"] == ["0.800", "0.335"]
    assert rows["Median rank"] == ["2", "15.5"]
    assert rows["Mean reciprocal rank"] == ["0.550", "0.134"]
    assert rows["Modality gapdistance between the two centers"] == ["0.500", ""]
    assert rows["Gallery"] == ["30", ""]
    within = page.locator('.measure[data-direction="audio2audio"] .numbers').first
    expect(within).to_contain_text("Does not apply")
    [asked] = [asked for asked in service.asked if asked["path"] == "/evaluate"]
    assert asked["json"] == {
        "stored": True,
        "curves": True,
        "directions": list(service.directions),
        "split": "test",
    }

    page.locator("#split").select_option("train")
    eventually(
        page,
        lambda: service.asked[-1].get("json", {}).get("split") == "train",
        "the other split is asked for",
    )
    expect(page.locator("#evaluation-report")).to_have_attribute("aria-busy", "false")


def test_the_curve_runs_through_the_services_points(
    page: Page, service: FakeService
) -> None:
    page.goto(f"{service.base_url}/#evaluation")
    chart = page.locator('.measure[data-direction="audio2visual"] svg.chart')
    frame = {
        tick: float(chart.locator(".tick", has_text=tick).first.get_attribute("y") or "nan")
        - 4
        for tick in ("0.0", "1.0")
    }
    points = [
        (float(point.get_attribute("cx") or 0), float(point.get_attribute("cy") or 0))
        for point in chart.locator(".curve-point").all()
    ]
    curves = service.evaluation()["directions"]["audio2visual"]["curves"]
    expected = curves["precision_recall_11_point"]
    height = frame["0.0"] - frame["1.0"]
    assert [(frame["0.0"] - y) / height for _, y in points] == pytest.approx(
        expected, abs=1e-6
    )
    steps = [after[0] - before[0] for before, after in pairwise(points)]
    assert steps == pytest.approx([steps[0]] * 10)

    path = chart.locator(".curve").get_attribute("d") or ""
    corners = [tuple(map(float, pair.split())) for pair in re.split("[ML]", path)[1:]]
    assert len(corners) == len(curves["precision_recall"]["recall"])
    for tenth, point in enumerate(points):
        assert corners[4 * tenth] == pytest.approx(tuple(point), abs=0.1)


def test_the_area_of_a_square_is_the_share_confused(
    page: Page, service: FakeService
) -> None:
    page.goto(f"{service.base_url}/#evaluation")
    card = page.locator('.measure[data-direction="audio2visual"]')
    card.get_by_text("What is taken for what").click()
    expect(card.locator(".confusion-share")).to_have_count(25)
    sides = {
        square.text_content(): float(square.get_attribute("width") or "nan")
        for square in card.locator(".confusion-share").all()
    }
    own, next_ = sides["bird finds bird: 0.80"], sides["bird finds drum: 0.20"]
    assert own**2 / next_**2 == pytest.approx(0.8 / 0.2)
    assert sides["drum finds bird: 0.00"] == 0
    picture = card.locator("svg.confusion")
    expect(picture).to_have_attribute(
        "aria-label", re.compile("bird finds drum in 20 of 100")
    )


def test_average_precision_by_label_is_sorted(page: Page, service: FakeService) -> None:
    page.goto(f"{service.base_url}/#evaluation")
    rows = page.locator(".classes tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.first.locator("th")).to_have_text("bird 6")
    assert rows.first.locator(".class-value").all_inner_texts() == [
        "0.950",
        "0.850",
        "0.750",
        "0.650",
    ]
    bar = rows.first.locator(".bar-length").first
    assert float(bar.get_attribute("width") or 0) == pytest.approx(95)


def test_a_refusal_is_explained_and_the_next_search_works(
    page: Page, service: FakeService
) -> None:
    service.problem = {
        "status": 415,
        "code": "unsupported-media",
        "title": "The file is of no known format",
        "detail": "expected a sound or a video, got <i>text</i>",
    }
    page.goto(service.base_url)
    page.locator("#file").set_input_files([tone()])
    problem = page.locator("#search-trouble .problem")
    expect(problem).to_contain_text("The file is of no known format.")
    expect(problem).to_contain_text("Expected a sound or a video, got <i>text</i>.")
    expect(problem).to_contain_text("Use one of these formats: wav, flac")
    expect(problem).to_contain_text("Request r-9")
    expect(page.locator("#search-trouble")).to_have_attribute("role", "alert")

    service.problem = None
    page.get_by_role("button", name="Another clip").click()
    page.locator("#file").set_input_files([tone()])
    expect(page.locator(f"{RESULTS} .score")).to_have_count(12)
    expect(problem).to_have_count(0)


def test_a_clip_without_the_track_may_be_asked_with_the_other(
    page: Page, service: FakeService
) -> None:
    service.problem = {"status": 422, "code": "no-usable-track", "title": "No sound track"}
    page.goto(service.base_url)
    page.locator("#file").set_input_files(
        [{"name": "silent.mp4", "mimeType": "video/mp4", "buffer": b"0"}]
    )
    page.locator("#search-trouble .problem").wait_for()
    service.problem = None
    page.get_by_role("button", name="Search picture to sounds").click()
    expect(page.locator(f"{RESULTS} .score")).to_have_count(12)
    assert service.searches()[-1]["path"] == "/search/visual2audio"


def test_a_service_that_is_away_is_named_and_can_be_tried_again(
    page: Page, service: FakeService
) -> None:
    page.route("**/collection", lambda route: route.abort())
    page.goto(service.base_url)
    expect(page.locator("#trouble")).to_contain_text("The service does not answer.")
    page.unroute("**/collection")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#facts")).to_have_text("30 sounds · 30 pictures")
    expect(page.locator("#trouble .problem")).to_have_count(0)


def test_a_service_that_is_starting_is_waited_for(page: Page, service: FakeService) -> None:
    body = '{"status": 503, "code": "not-ready", "title": "The service is not ready"}'
    page.route(
        "**/collection",
        lambda route: route.fulfill(
            status=503, body=body, content_type="application/problem+json"
        ),
    )
    page.goto(service.base_url)
    expect(page.locator("#trouble")).to_contain_text("still starting")
    page.unroute("**/collection")
    expect(page.locator("#facts")).to_have_text("30 sounds · 30 pictures")
    expect(page.locator("#trouble .problem")).to_have_count(0)


def test_a_clip_may_be_chosen_before_the_collection_is_known(
    page: Page, service: FakeService
) -> None:
    held: list[Route] = []
    page.route("**/collection", lambda route: held.append(route))
    page.goto(service.base_url)
    eventually(page, lambda: held, "the page asks for the collection")
    page.locator("#file").set_input_files([tone()])
    held[0].continue_()
    expect(page.locator(f"{RESULTS} .score")).to_have_count(12)
    assert service.searches()[-1]["bytes"] == tone()["buffer"]


def test_no_results_are_said(page: Page, service: FakeService) -> None:
    service.found = 0
    page.goto(service.base_url)
    page.locator("#file").set_input_files([tone()])
    expect(page.locator("#status")).to_have_text("No results")
    expect(page.locator("#results .empty")).to_contain_text("holds no pictures")


@pytest.mark.parametrize(
    ("sure", "said", "shown"),
    [
        (0.94, re.compile("^12 pictures"), ["94 %", "47 %"]),
        (
            0.008,
            re.compile("^No good match.* of under 1 %. 12 pictures"),
            ["under 1 %"] * 2,
        ),
        (None, re.compile("^12 pictures"), []),
    ],
)
def test_a_ranking_without_an_answer_is_called_one(
    page: Page,
    service: FakeService,
    sure: float | None,
    said: re.Pattern[str],
    shown: list[str],
) -> None:
    service.sure = sure
    search_with_tone(page, service.base_url)
    expect(page.locator("#status")).to_have_text(said)
    assert page.locator(f"{RESULTS} .confidence").all_inner_texts()[:2] == shown


def test_a_key_is_asked_for_and_sent_with_everything(
    page: Page, service: FakeService
) -> None:
    service.key = "open sesame"
    service.media_type = "video/webm"
    page.goto(service.base_url)
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    field.fill("guess")
    page.keyboard.press("Enter")
    expect(page.locator("#key-reason")).to_contain_text("not accepted")
    field.fill("open sesame")
    page.get_by_role("button", name="Use this key").click()

    expect(page.locator("#facts")).to_have_text("30 sounds · 30 pictures")
    video = page.locator(".card video").first
    expect(video).to_have_attribute("src", re.compile("^blob:"))
    until(page, "document.querySelector('.card video')?.videoWidth === 64")
    media = [asked for asked in service.asked if asked["path"].startswith("/media/")]
    assert {asked["authorization"] for asked in media} == {"Bearer open sesame"}
    assert page.evaluate("Object.values(sessionStorage)") == ["open sesame"]
    assert page.evaluate("localStorage.length") == 0


def test_a_result_plays_silently_inside_its_segment_and_sounds_when_asked(
    open_page: Callable[..., Page], service: FakeService
) -> None:
    page = open_page()
    service.media_type = "video/webm"
    search_with_tone(page, service.base_url)
    first = page.locator(RESULTS).first
    video = first.locator("video")
    until(
        page, "document.querySelector('#results .card[data-id] video')?.currentTime > 0.5"
    )
    assert video.evaluate("video => video.muted")
    eventually(page, lambda: video.evaluate("video => !video.paused"), "it plays")
    # heard after the player, which has mended by then what the browser let overrun
    video.evaluate(
        """(video) => {
          window.times = [];
          const note = () => window.times.push(video.currentTime);
          video.addEventListener("timeupdate", note);
        }"""
    )
    until(page, "window.times.some((time, at) => time < window.times[at - 1])")
    times = page.evaluate("window.times")
    assert 0.25 <= min(times) < max(times) <= 1.55

    sound = first.get_by_role("button", name="Sound of")
    sound.click()
    expect(sound).to_have_attribute("aria-pressed", "true")
    assert video.evaluate("video => !video.muted")
    assert len(service.searches()) == 1, "the sound button must not search"
    page.locator(RESULTS).nth(1).get_by_role("button", name="Sound of").click()
    eventually(page, lambda: video.evaluate("video => video.muted"), "only one sounds")


def test_a_stored_sound_is_drawn_and_played(page: Page, service: FakeService) -> None:
    service.media_type = "audio/webm"
    page.goto(service.base_url)
    first = page.locator(".card").first
    until(page, "document.querySelector('.card audio')?.readyState > 0")
    first.get_by_role("button", name="Play bird").click()
    until(page, "document.querySelector('.card audio')?.currentTime > 0.1")
    inked = """(canvas) => {
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      let rows = 0;
      for (let y = 0; y < height; y += 1) {
        rows += data.subarray(4 * y * width, 4 * (y + 1) * width).some(Boolean);
      }
      return rows / height;
    }"""
    canvas = first.locator("canvas")
    eventually(page, lambda: canvas.evaluate(inked) > 0.8, "a steady tone fills the height")
    first.get_by_role("button", name="Play bird").click()
    until(page, "document.querySelector('.card audio')?.paused")
    assert service.searches() == []


def test_nothing_moves_by_itself_where_motion_is_unwanted(
    page: Page, service: FakeService
) -> None:
    service.media_type = "video/webm"
    search_with_tone(page, service.base_url)
    video = page.locator(f"{RESULTS} video").first
    until(page, "document.querySelector('#results video')?.readyState > 1")
    page.wait_for_timeout(300)
    assert video.evaluate("video => video.paused")
    page.locator(RESULTS).first.get_by_role("button", name="Sound of").click()
    until(page, "!document.querySelector('#results video')?.paused")


def test_recorded_sound_is_searched_with(page: Page, service: FakeService) -> None:
    page.goto(service.base_url)
    page.get_by_role("button", name="Record sound").click()
    stop = page.get_by_role("button", name="Stop and search")
    expect(stop).to_be_focused()
    expect(page.locator(".recording-time")).to_have_text(
        re.compile(r"^(0\.[5-9]|[1-9]\d*\.\d) s$")
    )
    stop.click()
    expect(page.locator(f"{RESULTS} .score")).to_have_count(12)
    asked = service.searches()[-1]
    assert asked["name"] == "recording.webm"
    assert asked["bytes"][:4] == b"\x1a\x45\xdf\xa3", (
        "a Matroska file begins with the EBML mark"
    )
    expect(page.locator(".query-range")).to_have_text(re.compile(r"^\d+\.\d s$"))


def test_everything_is_reached_by_keyboard(page: Page, service: FakeService) -> None:
    service.media_type = "video/webm"
    page.goto(service.base_url)
    page.locator(".card").first.wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    reached: list[str] = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(_describe(page.locator(":focus")))
        assert _focus_shows(page), f"the focus cannot be seen on {reached[-1]}"
        if reached[-1].startswith("pick"):
            break
    assert reached[:5] == ["brand", "Search", "Collection", "Evaluation", "direction"]
    assert reached[5:8] == ["file", "record-audio", "record-video"]
    assert reached[8:] == ["sound", "pick"]

    with page.expect_response("**/search/**"):
        page.keyboard.press("Enter")
    assert service.searches()[-1]["json"]["id"] == "clip-00"
    page.get_by_role("radio", name="Sound to pictures").focus()
    with page.expect_response("**/search/**"):
        page.keyboard.press("ArrowRight")
    assert service.searches()[-1]["path"] == "/search/visual2audio"


def _describe(focused: Locator) -> str:
    return str(
        focused.evaluate(
            "node => node.id || node.name || node.className || node.textContent.trim()"
        )
    )


def _focus_shows(page: Page) -> bool:
    """Whether the focused element, or the face that stands for it, has an outline."""
    return bool(
        page.evaluate(
            """() => {
              const node = document.activeElement;
              const outlined = (one) => one && getComputedStyle(one).outlineStyle !== "none"
                && parseFloat(getComputedStyle(one).outlineWidth) >= 2
                && getComputedStyle(one).opacity !== "0";
              return outlined(node) || outlined(node.nextElementSibling);
            }"""
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(
    open_page: Callable[..., Page], service: FakeService, scheme: str
) -> None:
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    page.goto(service.base_url)
    names = (
        "ground",
        "surface",
        "sunk",
        "ink",
        "muted",
        "sound",
        "visual",
        "danger",
        "danger-soft",
    )
    colors = page.evaluate(
        """(names) => {
          const style = getComputedStyle(document.documentElement);
          return names.map((name) => style.getPropertyValue(`--${name}`).trim());
        }""",
        names,
    )
    light = dict(zip(names, map(_luminance, colors), strict=True))
    assert (light["ground"] < light["ink"]) == (scheme == "dark")
    pairs = [
        *(
            (text, ground)
            for text in ("ink", "muted")
            for ground in ("ground", "surface", "sunk")
        ),
        *((tone, "surface") for tone in ("sound", "visual")),
        ("ink", "danger-soft"),
    ]
    for text, ground in pairs:
        low, high = sorted((light[text], light[ground]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, f"{text} on {ground}"


def _luminance(color: str) -> float:
    """Relative luminance of ``#rrggbb``, as WCAG 2 defines it."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    ]
    return sum(
        weight * value
        for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


def test_the_page_keeps_to_a_strict_policy_and_to_its_own_host(
    page: Page, service: FakeService
) -> None:
    service.media_type = "video/webm"
    foreign: list[str] = []
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((service.base_url, "blob:", "data:"))
            else foreign.append(request.url)
        ),
    )
    page.add_init_script(
        """window.broken = [];
        addEventListener("securitypolicyviolation", (event) => {
          window.broken.push(event.violatedDirective);
        });"""
    )
    search_with_tone(page, service.base_url)
    page.locator(f"{RESULTS} .pick").first.click()
    page.locator(".query-stage video").wait_for()
    for view in ("collection", "evaluation"):
        page.locator(f'nav a[data-view="{view}"]').click()
        page.locator(f"#{view} :is(.card:not(.waiting), .measure)").first.wait_for()
    assert page.evaluate("window.broken") == []
    assert foreign == []
