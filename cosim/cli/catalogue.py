"""Commands that list what there is: machines, sites, recordings, studies, and whether the installation works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cosim.cli.output import Form, JsonOption, form_of, print_json, print_rows, say

Name = Annotated[str | None, typer.Argument(help="One of them, in full: a name, or the path of a file.")]


def add_catalogue_commands(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    for command in (profiles, sites, datasets, studies, doctor):
        app.command()(command)


def profiles(name: Name = None, as_json: JsonOption = False) -> None:
    """List the machines, or every constant of one with its bounds and source."""
    # Deferred, like every import in the commands below: --help must not pay for it.
    from energy_models.hardware import load_profile, profile_names

    if name is not None:
        _print_constants(load_profile(name), form_of(as_json))
        return
    found = [load_profile(each) for each in profile_names()]
    rows = [{"machine": p.name, "title": p.title, "style": p.execution.style, "hash": p.digest[:12]} for p in found]
    print_rows(rows, form_of(as_json))


def sites(name: Name = None, as_json: JsonOption = False) -> None:
    """List the places a device may live, or every constant of one with its bounds and source."""
    from energy_models.hardware import LIMIT_NAMES, load_site, site_names

    if name is not None:
        _print_constants(load_site(name), form_of(as_json))
        return
    found = [load_site(each) for each in site_names()]
    rows = [
        {
            "site": site.name,
            "title": site.title,
            "limits": [limit for limit in LIMIT_NAMES if getattr(site, limit) is not None],
            "hash": site.digest[:12],
        }
        for site in found
    ]
    print_rows(rows, form_of(as_json))


def _print_constants(model: Any, form: Form) -> None:
    from energy_models.quantities import quantities

    if form == "json":
        print_json(model.model_dump(mode="json"))
        return
    say(f"{model.name}: {model.title}")
    rows = [
        {
            "constant": path,
            "low": quantity.low,
            "nominal": quantity.value,
            "high": quantity.high,
            "unit": quantity.unit,
            "basis": quantity.basis,
            "source": quantity.source,
            "where and why": f"{quantity.where}; {quantity.note}" if quantity.note else quantity.where,
        }
        for path, quantity in quantities(model)
    ]
    print_rows(rows, "table")


def datasets(
    name: Name = None,
    download: Annotated[str | None, typer.Option(metavar="NAME", help="Fetch this public corpus first.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder to fetch it into.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the corpora, or one's licence, citation, caveats and options."""
    from cosim.datasets.registry import dataset_names, describe

    if (name is not None and download is not None) or (data_dir is not None and download is None):
        from energy_models.errors import DataError

        what, option = ("a folder, and nothing to download", "--data-dir") if download is None else (
            "one dataset is shown and another downloaded", "--download")  # fmt: skip
        raise DataError(what, where=option, remedy="Give --download NAME --data-dir FOLDER, or a name alone")
    if download is not None:
        folder = _download(download, data_dir)
        say(f"Fetched into {folder}")
        if as_json:
            print_json({"dataset": download, "folder": str(folder)})
        return
    if name is None:
        found = [describe(each) for each in dataset_names()]
        columns = ("dataset", "task", "title", "licence", "download")
        values = [(d.name, d.task, d.card.title, d.card.licence, d.download) for d in found]
        print_rows([dict(zip(columns, row, strict=True)) for row in values], form_of(as_json))
        return
    one = describe(name)
    facts = {
        "dataset": one.name,
        "title": one.card.title,
        "task": one.task,
        "licence": one.card.licence,
        "citation": one.card.citation,
        "homepage": one.card.homepage,
        "caveats": list(one.card.caveats),
        "download": one.download,
        "options": dict(one.options),
    }
    if as_json:
        print_json(facts)
    else:
        options = [f"{option} = {default}" for option, default in one.options.items()]
        rows = [{"what": key, "value": value} for key, value in {**facts, "options": options}.items()]
        print_rows(rows, "table")


def _download(name: str, data_dir: Path | None) -> Path:
    from cosim.datasets.registry import download
    from energy_models.errors import DataError

    if data_dir is None:
        raise DataError("a download needs a folder", where="--download", remedy="Name one with --data-dir.")
    return download(name, data_dir)


def studies(as_json: JsonOption = False) -> None:
    """List the studies that ship."""
    from cosim.study.document import read_document, study_names

    rows: list[dict[str, object]] = []
    for name in study_names():
        document = read_document(name)
        head, dataset = document["study"], document["dataset"]
        rows.append({"study": name, "dataset": dataset["name"], "title": head["title"], "question": head["question"]})
    print_rows(rows, form_of(as_json))


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="Folder of recordings to look into.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the installation: packages, catalogues, recordings, disk. Exit code 1 where something is wrong."""
    from cosim.cli.doctor import examine

    findings = examine(data_dir)
    print_rows([{"check": f.check, "state": f.state, "detail": f.detail} for f in findings], form_of(as_json))
    if any(finding.state == "wrong" for finding in findings):
        raise SystemExit(1)
