"""The page: self-contained, answers first, and says what does not fit, is assumed, or is left out."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from madeup_run import without_intervals, write_madeup_run, write_scores

from cosim.report import write_report
from cosim.report.comparison import comparison, difference_rows
from cosim.report.figures import band_text, front_figure, quantity_text, ratio_text, score_text
from cosim.report.figures.numbers import headroom_text, scaled_band_text, score_of
from cosim.report.headline import CLOSE, answers, choice_note, chosen_on, headline
from cosim.report.inputs import Row, Run, read_run
from cosim.tables.results import Score, read_parquet
from energy_models.errors import CosimError, StudyError

LARGEST_PAGE_BYTES, LARGEST_PICTURE_BYTES = 3_500_000, 150_000
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects text, addresses and unbalanced tags."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [f"{tag}:{v}" for k, v in attrs if k in ("src", "href", "srcset", "data") and v]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_madeup_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return read_run(folder)


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    parsed = Page()
    parsed.feed(html)
    parsed.close()
    return parsed


@pytest.fixture(scope="module")
def words(page: Page) -> str:
    return " ".join("".join(page.text).replace("\u00a0", " ").split())


def test_one_file_that_fetches_nothing(html: str, page: Page) -> None:
    assert page.open == []  # every tag closed
    assert {address for address in page.addresses if not address.startswith("a:")} == set()
    own, _, rest = html.partition('<script type="text/plain" id="plotly">')
    packed, _, script = rest.partition("</script>")
    assert b"plotly.js v" in gzip.decompress(base64.b64decode(packed))[:200]
    own += script
    assert "@import" not in own
    assert "url(" not in own
    assert "default-src 'none'" in own  # a browser refuses whatever the library might fetch
    assert "showSendToCloud: false" in own
    assert len(html.encode()) < LARGEST_PAGE_BYTES


def test_the_headline_names_decoder_score_power_machine_and_verdict(words: str, run: Run) -> None:
    pick = answers(run)[0].pick
    assert re.search(
        rf"{re.escape(pick['decoder'])} decodes at balanced accuracy 0\.\d+ \[0\.\d+, 0\.\d+\] on the test part "
        rf"\(chosen on validation: {pick['validation_mean']:.3f}\) and needs [\d.]+ µW \[[\d.]+, [\d.]+\] "
        rf"on {pick['profile']}; .* It fits implant_utah96; binding limit: ",
        words,
    )


def test_the_pick_is_the_cheapest_close_to_the_best_that_fits(run: Run) -> None:
    first = answers(run)[0]
    rows = [r for r in run.summary if r["site"] == first.site and r["verdict"] == first.verdict]
    best = max(r["validation_mean"] for r in rows)
    close = [r for r in rows if r["validation_mean"] >= best - CLOSE]
    assert first.pick["total_power_nominal_w"] == min(r["total_power_nominal_w"] for r in close)


def _with(run: Run, change: Callable[[Row], dict[str, object]]) -> Run:
    rows = tuple({**row, **change(row)} for row in run.summary)
    return dataclasses.replace(run, summary=rows)


def test_test_scores_have_no_part_in_the_pick(run: Run) -> None:
    before = answers(run)
    turned = answers(_with(run, lambda row: {"score_mean": 1 - row["score_mean"]}))
    assert [(a.pick["decoder_id"], a.pick["profile"]) for a in turned] == [
        (a.pick["decoder_id"], a.pick["profile"]) for a in before
    ]
    dearest = before[0].pick["decoder_id"]
    worse = answers(_with(run, lambda row: {"validation_mean": 0.1} if row["decoder_id"] == dearest else {}))
    assert worse[0].pick["decoder_id"] != dearest


def test_without_validation_scores_the_pick_says_that_it_was_made_on_test_scores(run: Run) -> None:
    bare = _with(run, lambda row: {"validation_mean": math.nan})
    found = answers(bare)
    assert chosen_on(bare) == "test"
    assert "(chosen on test scores: validation scores not kept)" in headline(bare, found)
    assert "Chosen on test scores" in choice_note(bare)
    assert "No test score enters the choice" in choice_note(run)
    rows = [r for r in bare.summary if r["site"] == found[0].site and r["verdict"] == found[0].verdict]
    close = [r for r in rows if r["score_mean"] >= max(r["score_mean"] for r in rows) - CLOSE]
    assert found[0].pick["total_power_nominal_w"] == min(r["total_power_nominal_w"] for r in close)


def test_a_decoder_without_a_validation_score_is_picked_last(run: Run) -> None:
    taken = answers(run)[0].pick["decoder_id"]
    lacking = _with(run, lambda row: {"validation_mean": math.nan} if row["decoder_id"] == taken else {})
    assert answers(lacking)[0].pick["decoder_id"] != taken


def test_there_is_one_pick_wherever_nothing_fits_better(run: Run, html: str) -> None:
    first, *others = answers(run)
    pick = (first.pick["decoder_id"], first.pick["profile"])
    order = ("fits", "fits nominally", "fits only at best", "exceeds")
    for answer in others:
        rows = [r for r in run.summary if r["site"] == answer.site and r["verdict"] in order]
        best = min(order.index(str(r["verdict"])) for r in rows)
        mine = next(r for r in rows if (r["decoder_id"], r["profile"]) == pick)
        assert answer.verdict == order[best]
        if order.index(str(mine["verdict"])) == best:
            assert (answer.pick["decoder_id"], answer.pick["profile"]) == pick
    assert [answer.pick["decoder_id"] for answer in others].count(pick[0]) > 0
    marked = re.findall(r'<tr data-machine="(\w+)" class="[a-z ]*picked">\s*<td[^>]*>(\d+)</td>', html)
    assert marked == [(first.pick["profile"], str(first.pick["number"]))]


def test_a_classical_pick_comes_with_the_network_to_take_instead(run: Run) -> None:
    lifted = [{**r, "validation_mean": 0.99} if r["decoder"] == "CSP+LDA" else r for r in run.summary]
    found = answers(dataclasses.replace(run, summary=tuple(lifted)))
    assert {answer.pick["decoder"] for answer in found} == {"CSP+LDA"}
    gap = next(one for one in run.differences if one.kind == "classical")
    assert {answer.network["decoder_id"] for answer in found if answer.network is not None} == {gap.decoder_id}
    assert answers(run)[0].network is None


def test_where_nothing_fits_the_nearest_is_named(run: Run) -> None:
    over = [{**r, "verdict": "exceeds", "headroom": 1 / (i + 2)} for i, r in enumerate(run.summary)]
    found = answers(dataclasses.replace(run, summary=tuple(over)))
    assert {a.verdict for a in found} == {"exceeds"}
    first = [r for r in over if r["site"] == found[0].site]
    assert found[0].pick["headroom"] == max(r["headroom"] for r in first)


def test_the_network_is_held_against_the_classical_decoder(run: Run, words: str) -> None:
    compared = comparison(run)
    assert compared is not None
    assert compared["verdict"] == "better"  # 0.87 against 0.81 on the same folds
    assert "The network that is best on validation beats the best classical decoder: EEGNet-8 float32" in words


def test_the_network_is_picked_by_its_validation_score(run: Run, folder: Path, tmp_path: Path) -> None:
    """The one that is best on validation and worst on test is the one compared."""
    lucky = run.scores["decoder"].where(run.scores["role"] == "student").dropna().iloc[-1]
    rows = [Score(**row) for row in run.scores.to_dict("records")]
    for name in ("priced.parquet", "study.json", "gates.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    write_scores(tmp_path, [
        dataclasses.replace(row, validation_score=0.99, score=0.3) if row.decoder == lucky else row for row in rows
    ])  # fmt: skip
    compared = comparison(read_run(tmp_path))
    assert compared is not None
    assert compared["verdict"] == "worse"
    assert str(lucky) in compared["text"]


def test_a_network_that_is_worse_is_said_to_be(folder: Path, tmp_path: Path) -> None:
    table = read_parquet(folder / "scores.parquet", Score)
    rows = [Score(**row) for row in table.to_dict("records")]
    worse = [dataclasses.replace(r, score=r.score - 0.2) if r.role == "student" else r for r in rows]
    write_scores(tmp_path, worse)
    for name in ("priced.parquet", "study.json", "gates.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    compared = comparison(read_run(tmp_path))
    assert compared is not None
    assert compared["verdict"] == "worse"
    assert "does not beat" in compared["text"]


@pytest.mark.parametrize(
    "said",
    [
        "leave one session out", "chance 0.250", "4 of 5 gates", "looks ahead", "Licence: CC0",
        "uncounted: head softmax", "prices no float32 multiply-accumulate", "implant_utah96.package.length",
        "Computing's energy problem", "kim2007", "cosim run madeup --out runs", "torch 2.9.0", "Ensemble of 2",
        "Hypervolume", "score × decades",
    ],
)  # fmt: skip
def test_the_page_says(words: str, said: str) -> None:
    assert said in words


def test_text_from_files_cannot_become_markup(html: str) -> None:
    assert "<four classes>" not in html
    assert "&lt;four classes&gt;" in html


def test_every_decoder_stands_in_the_table_for_every_machine(html: str) -> None:
    assert len(re.findall(r'<tr data-machine="gap9"', html)) == 13


def test_a_run_with_one_fold_one_seed_and_no_chance(tmp_path: Path) -> None:
    folder = write_madeup_run(tmp_path, folds=1, seeds=1)
    study = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({**study, "chance": None}))
    (folder / "gates.json").write_text('{"gates": []}')
    without_intervals(folder)
    text = write_report(folder, tmp_path / "elsewhere" / "page.html").read_text()
    assert "too few for an interval" in text
    assert "cannot be told" in text
    assert "No teacher in this study" in text
    assert ">nan<" not in text


def test_missing_files_and_fields_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CosimError, match=r"study\.json: this file is missing"):
        write_report(tmp_path)
    (tmp_path / "study.json").write_text('{"name": "x"}')
    with pytest.raises(CosimError, match="it lacks title"):
        write_report(tmp_path)


def test_a_figure_for_the_documents(run: Run, tmp_path: Path) -> None:
    """One panel per machine, and who cannot run there: `madeup_run` prices float32 on two machines only."""
    site, levels = "headset_commodity", {"chance": 0.25}
    path = front_figure(run.summary, tmp_path / "front.svg", profiles=run.machines, site=site, levels=levels)
    root = ElementTree.parse(path).getroot()  # noqa: S314
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(run.machines) <= set(texts)
    assert texts.count("cannot run: EEGNet-4 float32 and 1 more") == 2
    assert path.stat().st_size < LARGEST_PICTURE_BYTES
    front_figure(run.summary, tmp_path / "one.svg", profiles=["gap9"], site=site, levels=levels)
    with pytest.raises(StudyError, match=r"no decoder runs on gap8"):
        front_figure(run.summary, tmp_path / "x.svg", profiles=["gap8"], site=site, levels={})
    for name, head in (("x.png", b"\x89PNG"), ("x.pdf", b"%PDF")):
        made = [front_figure(run.summary, tmp_path / f"{n}{name}", profiles=["gap9"], site=site, levels=levels)
                for n in range(2)]  # fmt: skip
        assert made[0].read_bytes().startswith(head)
        assert made[0].read_bytes() == made[1].read_bytes()
    with pytest.raises(StudyError, match=r"\.svg, \.pdf, \.png"):
        front_figure(run.summary, tmp_path / "x.gif", profiles=["gap9"], site=site, levels={})


def test_an_interval_says_what_it_ranges_over_and_stays_in_range(run: Run, words: str) -> None:
    assert all(0 <= row["score_low"] <= row["score_high"] <= 1 for row in run.decoders)
    trained = [row for row in run.decoders if row["decoder"] != "majority"]  # it never differs between sessions
    assert {(row["score_over"], row["score_count"]) for row in trained} == {("sessions", 5)}
    assert "over 5 sessions" in words
    spread = {"metric": "r2", "score_mean": 0.1, "score_low": -0.4, "score_high": 0.6}
    assert score_of(spread) == "0.100 [−0.40, 0.60]"  # R² has no lower end


def test_every_decoder_has_a_p_value_and_every_form_a_difference(run: Run, words: str) -> None:
    constant = next(row for row in run.decoders if row["decoder"] == "majority")
    assert constant["p_value"] > 0.05
    assert max(row["p_value"] for row in run.decoders if row["score_mean"] > 0.6) <= 0.01
    rows = difference_rows(run.differences)
    assert [row["decoder"] for row in rows if row["against"] == "EEGNet-8 float32"] == [
        "EEGNet-8 w8a8", "EEGNet-8 w4a4", "EEGNet-8 w2a4",
    ]  # fmt: skip
    assert "Differences, paired by held-out example" in words


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (4.2e-5, "W", "42 µW"), (1.234e-3, "W", "1.23 mW"), (0.9999e-3, "W", "1 mW"), (3.1e-12, "J", "3.1 pJ"),
        (0.0, "J", "0 J"), (250.0, "Hz", "250 Hz"), (46.1e6, "bit/s", "46.1 Mbit/s"), (2.0, "s", "2 s"),
    ],
)  # fmt: skip
def test_quantities_as_people_read_them(value: float, unit: str, expected: str) -> None:
    assert quantity_text(value, unit).replace("\u00a0", " ") == expected


def test_bounds_and_ratios_as_people_read_them() -> None:
    assert band_text(20e-6, 42e-6, 95e-6, "W").replace("\u00a0", " ") == "42 µW [20, 95]"
    assert band_text(0.5e-6, 0.9e-6, 1.5e-6, "W").replace("\u00a0", " ") == "900 nW [500, 1500]"
    assert score_text(0.861, 0.81, 0.912) == "0.861 [0.81, 0.91]"
    assert score_text(-0.1, float("nan"), float("nan")) == "−0.100"
    assert ratio_text(12.3) == "12× below the limit"
    assert ratio_text(0.25) == "4.0× over the limit"
    assert headroom_text(0.5) == "2.0× over"
    assert headroom_text(float("inf")) == ">1000× free"
    row = {"p_low_w": 20e-6, "p_nominal_w": 42e-6, "p_high_w": 95e-6}
    assert scaled_band_text(row, "p", "w", 1e-6) == "42 [20, 95]"


def test_an_interval_over_one_recording_says_what_it_does_not_cover(run: Run) -> None:
    one = [dataclasses.replace(gap, over="segments", count=20) for gap in run.differences]
    compared = comparison(dataclasses.replace(run, differences=tuple(one)))
    assert compared is not None
    assert "over 20 segments" in compared["text"]
    assert "it speaks of another part of this recording" in compared["text"]
    whole = comparison(run)
    assert whole is not None
    assert "another session of this subject" in whole["text"]


def test_a_headline_at_chance_says_so(run: Run) -> None:
    assert "chance" not in headline(run, answers(run))
    luck = tuple({**row, "p_value": 0.4} for row in run.summary)
    said = headline(run, answers(dataclasses.replace(run, summary=luck)))
    assert ", which chance reaches too (p = 0.40), and needs" in said
