"""Trains a student on one fold, and quantises it, by the same stages as a study does; learns widths for it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from pydantic import ValidationError
from torch import Tensor

from cosim.api.places import Machine
from cosim.api.protocol import split_of
from cosim.api.recordings import dataset_of
from cosim.api.run import shape_of
from cosim.api.student import Home, Student, student_of_stages
from cosim.datasets.array_store import default_store
from cosim.engine.executors.worker import run_stage
from cosim.engine.files import Json
from cosim.engine.fold_data import Inputs, load_fold, spread
from cosim.engine.local_store import LocalStore
from cosim.engine.run_folder import locked
from cosim.engine.stage import Stage, make_stage, with_ancestors
from cosim.engine.stages.quantised import CALIBRATION_EXAMPLES, QUANTISED
from cosim.engine.stages.result import RESULT
from cosim.engine.stages.undistilled import UNDISTILLED
from cosim.engine.store import Store
from cosim.engine.stored_data import keep_dataset, keep_folds
from cosim.splits.fold import Fold
from cosim.study.messages import validation_lines
from cosim.study.schema import HardwarePlan
from cosim.workloads.bit_costs import BitCosts, bit_costs
from energy_models.errors import StudentError, unknown_name
from energy_models.hardware import HardwareProfile, load_profile
from students.counting import observe
from students.families import check_form, deployment_mode, load_family, parse_options
from students.models.build import mode, products_of, signal_readers
from students.models.from_float import quantised_from_float
from students.spec import UNTRAINED, Float32, MethodSpec, Quantised, Scalar, StudentSpec, Training, parse_form
from students.training import Learned, complete_method
from students.training import learn_bits as find_bits

OBSERVED = cast(int, HardwarePlan.model_fields["observed_examples"].default)
GATE_PARENTS = ("teacher", "gate")
COSTED = 8
"""Examples that a network is counted on to see what its bits cost."""


def train(
    family: str,
    data: object,
    *,
    split: object = None,
    fold: str | int = 0,
    seed: int = 0,
    options: Mapping[str, Scalar] | None = None,
    training: Mapping[str, Any] | Training | None = None,
    inputs: str = "standardised",
    out: str | Path | None = None,
    device: str = "cpu",
) -> Student:
    """Return a float student trained from labels on one fold, with its scores and its workload on what is held out.

    Parameters
    ----------
    family : str
        A name of `cosim.families`, or ``module:object``.
    data : LoadedDataset or str
        What `cosim.load_dataset` returned, or the name of a corpus that needs no options.
    split : str, mapping or None
        How recordings are held out: ``leave_one_session_out``, ``blocked_in_time``, ... or a table of settings as in a
        study's ``[split]``; None: see `cosim.api.protocol.split_of`. The student says which it was.
    fold : str or int
        Which of the split's folds, by name or number.
    seed : int
        Of weights and order of examples.
    options : mapping, optional
        Of the family.
    training : mapping or Training, optional
        Epochs, learning rate and so on, as in a study's ``[training] student``.
    inputs : {'standardised', 'raw'}
    out : str or Path, optional
        Folder to keep the stages in, where nothing finished is computed again; default: one that is removed when the
        student, and all that was made from it, is no longer used.
    device : str

    Raises
    ------
    CosimError
        An unknown name, option or setting, recordings that cannot be split so, or a training that fails.
    """
    loaded = dataset_of(data, where="cosim.train, data")
    if inputs not in ("standardised", "raw"):
        raise StudentError(f"inputs {inputs!r}", where="cosim.train", remedy="Give 'standardised' or 'raw'")
    dataset = loaded.dataset
    dataset.refuse_masks(where="cosim.train")
    spec = _spec(family, options, training, seed, shape_of(dataset))
    scheme = split_of(split, dataset)
    chosen = _fold(scheme.folds(dataset, seed=0), fold)
    root, keeper = _folder(out)
    with locked(root) as store:
        kept, _ = keep_dataset(store, dataset, loaded.name, default_store())
        (place,) = keep_folds(store, kept, [chosen])
        student = make_stage(UNDISTILLED, {"inputs": inputs, "spec": _json(spec)}, fold=place.stage)
        result = _result(student, inputs)
        _compute(store, result, device)
    return student_of_stages(root, student, result, protocol=scheme.describe(), keeper=keeper)


def quantize(
    student: Student,
    form: str,
    *,
    training: Mapping[str, Any] | Training | None = None,
    method: str | MethodSpec | None = None,
    device: str = "cpu",
) -> Student:
    """Return a student with integer weights and activations, made from a float one.

    Its grids are calibrated on training examples. It is then trained on with the rounding in the loop; in a form that
    begins with ``ptq`` or ``gptq`` only its biases are corrected.

    Parameters
    ----------
    student : Student
        Of `cosim.train`, of a run, or its stage of a run by `cosim.load_student`.
    form : str
        Such as ``w8a8``, ``w4a4``, ``w2a4 edge=8``, ``w8a8 conv=w4a4``, ``ternary``, ``ptq w4a4``.
    training : mapping or Training, optional
        Of the training that goes on with the rounding in the loop; default: that of the float student.
    method : str or MethodSpec, optional
        Distillation method, such as ``kl``: the teacher of the run teaches if it passed its gate, otherwise the float
        student. Default: the float student's own; without one, labels alone.
    device : str

    Raises
    ------
    CosimError
        A form that does not exist or that the family lacks, a student that is quantised or was copied, or training
        settings or a method for a form that is not trained.
    """
    home, spec = _home(student), quantised_spec(student, form, training=training, method=method)
    inputs = str(home.stage.config["inputs"])
    parents = {role: stage for role, stage in home.stage.parents.items() if role in ("fold", *GATE_PARENTS)}
    with locked(home.root) as store:
        config: dict[str, Json] = {"inputs": inputs, "spec": _json(spec)}
        stage = make_stage(QUANTISED, config, float_student=home.stage, **parents)
        result = _result(stage, inputs)
        _compute(store, result, device)
    return student_of_stages(
        home.root, stage, result, protocol=student.facts.get("protocol", ""), keeper=home.keeper
    )


def quantised_spec(student: Student, form: str, *, training: object = None, method: object = None) -> StudentSpec:
    """Return the description of the student that `quantize` makes; its parameters and errors are the same."""
    wanted = parse_form(form) if isinstance(cast("object", form), str) else None
    if not isinstance(wanted, Quantised):
        raise StudentError(f"{form!r:.40} is no quantised form", where="cosim.quantize", remedy="Give w8a8, w4a4, ...")
    check_form(load_family(student.spec.family), wanted)
    return student.spec.model_copy(update={"form": wanted, **_learning(wanted, student.spec, training, method)})


def learn_bits(
    student: Student,
    form: str = "w8a8",
    *,
    penalty: float,
    learned: Learned = "weights",
    costs: Mapping[str, float] | None = None,
    activation_costs: Mapping[str, float] | None = None,
    machine: Machine | None = None,
    decode_rate_hz: float | None = None,
    training: Mapping[str, Any] | Training | None = None,
) -> str:
    """Return a form with widths for each layer, learned under a price on every bit; see `quantize`.

    Parameters
    ----------
    student : Student
        As for `quantize`.
    form : str
        Where it begins: the greatest widths, and those of what is not learned.
    penalty : float
        Price of all bits of `form` that are learned, beside the loss [nat, or share of the targets' variance].
    learned : {'weights', 'activations', 'both'}
        Whose widths; of an activation it is that of the signal a layer reads (the raw input and what a GRU or LSTM
        reads keep theirs).
    costs, activation_costs : mapping of str to float, optional
        Of one bit of each layer, of its weights or of the signal it reads, by its name in the network, such as the
        energy [J] that it takes on a machine; only proportions matter. Default: the layer's number of weights, and
        the signal's of values in one decode, which makes it a price on memory.
    machine : str, Path or HardwareProfile, optional
        Instead of costs: what a bit of each layer draws on this machine, see `cosim.workloads.bit_costs`.
    decode_rate_hz : float, optional
        Decisions per second [Hz]; needed with a machine.
    training : mapping or Training, optional
        Epochs, batch size and learning rate; default: those of the float student.

    Raises
    ------
    CosimError
        As `quantize`; costs of layers that the network does not have, or that learn no width; a machine without a
        price for some of its work, or to which some layer's width makes no difference.
    """
    home, wanted = _home(student), parse_form(form)
    check_form(load_family(student.spec.family), wanted)
    changes = {"form": wanted, "training": _training(training, student.spec.training)}
    fold, store = home.stage.parents["fold"], LocalStore(home.root)
    inputs = cast("Inputs", home.stage.config["inputs"])
    data = load_fold(store.folder(fold.parents["data"].key), store.folder(fold.key), inputs)
    spec = student.spec.model_copy(update=changes)
    examples = data.part("train")
    calibration = examples.inputs[spread(len(examples), CALIBRATION_EXAMPLES)]
    with _one_thread():
        if machine is not None:
            if costs is not None or activation_costs is not None or decode_rate_hz is None:
                raise StudentError("a machine needs decode_rate_hz, and gives the costs itself", where="learn_bits",
                                   remedy="Give decode_rate_hz and no costs")  # fmt: skip
            drawn = _bit_costs(
                spec, student, calibration, profile=load_profile(machine), decode_rate_hz=decode_rate_hz,
                learned=learned,
            )
            costs, activation_costs = drawn.weights, drawn.activations
        found = find_bits(
            spec, student.model, examples, calibration=calibration, penalty=penalty, learned=learned, costs=costs,
            activation_costs=activation_costs,
        )
    return str(found.form)


def _bit_costs(
    spec: StudentSpec, student: Student, examples: Tensor, *, profile: HardwareProfile, decode_rate_hz: float,
    learned: Learned,
) -> BitCosts:
    """Return what a bit of each layer draws on a machine, where its width is learned."""
    model = quantised_from_float(spec, student.model, examples).eval()
    work = observe(
        model, examples[:COSTED], name=spec.label, mode=mode(spec), step_rate_hz=spec.shape.step_rate_hz,
        input_bits=student.workload().input_bits,
    )
    kinds = {one.name: one.kind for one in products_of(spec)}
    signals = {name: readers for name, readers in signal_readers(spec).items()
               if readers and all(kinds[reader] != "recurrent" for reader in readers)}  # fmt: skip
    return bit_costs(
        work, profile, decode_rate_hz=decode_rate_hz, layers=() if learned == "activations" else kinds,
        signals={} if learned == "weights" else signals,
    )


def _learning(form: Quantised, spec: StudentSpec, training: object, method: object) -> dict[str, object]:
    """Return how a quantised student learns: settings and method."""
    if form.training != "qat":
        if training is not None or method is not None:
            raise StudentError(
                f"{form} is rounded after training, and not trained", where="cosim.quantize",
                remedy="Leave out training and method, or ask for the form without ptq or gptq",
            )
        return {"training": UNTRAINED, "method": None}
    chosen = MethodSpec(name=method) if isinstance(method, str) else method
    if chosen is not None and not isinstance(chosen, MethodSpec):
        raise StudentError(f"method {method!r:.60}", where="cosim.quantize", remedy="Give a name such as kl")
    completed = spec.method if chosen is None else complete_method(chosen)
    return {"training": _training(training, spec.training), "method": completed}


def _home(student: object) -> Home:
    if not isinstance(student, Student):
        raise StudentError(
            f"{student!r:.60} of type {type(student).__name__} is no student", where="cosim.quantize",
            remedy="Train one: cosim.train(family, data), or take one of a run: run.decoder(label).student()",
        )
    if student.home is None:
        raise StudentError(
            "it was saved without the recordings it was trained on", where="cosim.quantize",
            remedy="Quantise before saving, or load the student's stage of a run folder",
        )
    if not isinstance(student.spec.form, Float32):
        raise StudentError(
            f"it is {student.spec.form} already", where="cosim.quantize", remedy="Quantise the float student"
        )
    return student.home


def _spec(
    family: str, options: Mapping[str, Scalar] | None, training: object, seed: int, shape: Any
) -> StudentSpec:
    if not isinstance(cast("object", family), str):
        raise StudentError(
            f"{family!r:.60} is no family's name", where="cosim.train, family", remedy="Give a name of cosim.families"
        )
    found = load_family(family)
    deployment_mode(found, shape)
    parse_options(family, found, options or {})
    if isinstance(seed, bool) or not isinstance(cast("object", seed), int) or seed < 0:
        raise StudentError(f"seed {seed!r}", where="cosim.train", remedy="Give a whole number from 0 up")
    return StudentSpec(
        family=family, options=dict(options or {}), shape=shape, training=_training(training, Training()), seed=seed
    )


def _training(given: object, otherwise: Training) -> Training:
    """Return settings of the training loop; what a table leaves out is as in `otherwise`."""
    if given is None:
        return otherwise
    if isinstance(given, Training):
        return given
    if not isinstance(given, Mapping):
        raise StudentError(f"{given!r:.60}", where="training", remedy='Give a table such as {"epochs": 40}')
    try:
        return Training.model_validate({**otherwise.model_dump(), **cast("Mapping[str, Any]", given)})
    except ValidationError as error:
        lines = validation_lines(error, Training.model_fields, ("training",))
        raise StudentError(
            "; ".join(lines), where="training", remedy=f"Settings are: {', '.join(Training.model_fields)}"
        ) from error


def _fold(folds: tuple[Fold, ...], wanted: str | int) -> Fold:
    names = [fold.name for fold in folds]
    if isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < len(folds):
        return folds[wanted]
    if wanted in names:
        return folds[names.index(str(wanted))]
    raise StudentError(
        f"there is no fold {wanted!r}; there are {len(folds)}", where="fold",
        remedy=unknown_name("folds", str(wanted), names),
    )


def _folder(out: str | Path | None) -> tuple[Path, TemporaryDirectory[str] | None]:
    if out is not None:
        return Path(out), None
    keeper = TemporaryDirectory(prefix="cosim-", ignore_cleanup_errors=True)
    return Path(keeper.name), keeper


def _result(student: Stage, inputs: str) -> Stage:
    return make_stage(RESULT, {"observed": OBSERVED, "inputs": inputs}, fold=student.parents["fold"], student=student)


def _compute(store: Store, stage: Stage, device: str) -> None:
    """Compute a stage after those it builds on, in this process, on one thread as the processes of a study do."""
    with _one_thread():
        for needed in with_ancestors(stage):
            run_stage(store, device, needed)


@contextmanager
def _one_thread() -> Generator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _json(spec: StudentSpec) -> dict[str, Json]:
    return cast("dict[str, Json]", spec.model_dump(mode="json"))
