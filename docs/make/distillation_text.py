"""The words of ``docs/distillation.md``; its numbers come from `distillation_rows`."""

HEAD = """# Which distillation helps a small decoder

Does a small decoder learn more from a teacher than from its labels? Each table is a set of recordings; each student is
trained from labels alone, by controls that need no teacher (label smoothing, mixup, noise, its own past), and by
methods that learn from one, all in the same number of gradient steps.
"""

HOW = """
## How it was made

All of it is one command, which goes on where it was stopped:

    COSIM_DATA=... python benchmarks/distillation.py             # every part, cheapest first, then this page
    COSIM_DATA=... python benchmarks/distillation.py --part labels_42_units --seeds 5     # default: as archived
    python benchmarks/distillation.py --reprice                  # this page again, nothing trained

`kl` with `unlabelled=left_out` learns the teacher's answers on labelled examples alone; `kl` without, on unlabelled
ones too. The best control is the one best on validation; labels alone are one of them, and of equal ones the best. A
teacher teaches where it passed its gate (it beats the student of labels alone on validation); elsewhere a distilled
student is that student, and its difference from it is zero. A cell called *and all labels of validation* trains on few
labels, but its early stopping, gate and best control see labels beyond the budget. Headroom is the teacher's score less
that of labels alone: what could be learned at most. Where a study cuts unlabelled windows between trials (SSVEP, few
labels), the cells of few labels take more steps in an epoch than the one of all labels, which has no such windows.
"""

IN_SHORT = """
## In short

The smallest budget of each set of recordings. Above the best control by the whole interval are

- taught on unlabelled examples too, {unlabelled};
- taught on labelled examples alone, {labelled}.

The teacher scores {helped} more than labels alone for the students of the first line, and {others} for the others.

"""
"""With where each of two uses of the teacher helps, and the ranges of the teacher's score less that of labels alone."""
REMARKS = {
    "subjects_ssvep": """
With targets in sample the gate compares on trials of the subjects that are trained on. With targets out of fold it
compares on training subjects that neither fit has seen (five inner folds by subject): it asks what the test part asks.
That cell's gate and folds were fixed before any test score of it was seen.
""",
    "subjects_ssvep_chosen_on_another": """
The part above chooses on trials of the subjects that are trained on, where the network is better than on a new subject
and better than the teacher, so that the gate lets no teacher pass although the teacher is the better one on new
subjects. This part, added after that was seen, stops, gates and chooses on one subject that is not trained on.
""",
    "labels_87_units": """
The file names no trials; they are told from its frozen periods (334 of 12 to 142 steps). Parts are a gap of 10 steps
apart in words and a whole example of 100 steps in fact, and no trial has steps in two of training, validation and test:
none of the 117 examples that are used is concerned.
""",
}
"""Behind the title and picture of a part."""
BARS = """
## Bars

Fixed beforehand: at the smallest label budget of each recording, `kl` with unlabelled examples is above the best
control by 2 points (.02 R²) or more, its interval above zero; on SSVEP with a subject left out, the teacher of
correlations brings 4 points over labels alone. Missed: the whole interval is below the bar. Where the teacher never
passed its gate, the student of labels alone is what distillation gives, and counts. Rows marked exploratory are of a
part that was added after results were seen: no bar was fixed for them beforehand, and they decide none.

"""

NOT_RUN = """
## Not run

The command has these parts, cells and seeds; no result of theirs is in this version:

"""

TAIL = """
## Limits

Few seeds and few recordings: intervals range over what is held out, seeds included, and say nothing of other subjects.
Weights of methods were not tuned. A student that comes near its teacher is no reason to deploy it instead of the
teacher, which is a classical decoder in the parts with few labels and often takes less power. A difference whose
interval holds zero is no evidence of a gain, nor of its absence.
"""
