"""The other entry point: samples one by one for a network of windows, a whole recording for one of steps."""

STREAM_HEADER = """/* {title}
 *
 * Link {name}_stream.c beside {name}.c where it is called; it keeps {bytes} bytes.
 */
#ifndef {NAME}_STREAM_H
#define {NAME}_STREAM_H

#include "{name}.h"

#define {NAME}_CHANNELS {channels}
#define {NAME}_STEPS {steps}

{declarations}

#endif
"""

PUSH = """/* Forgets all samples. */
void {name}_forget(void);

/* Takes the newest sample of every channel; the oldest one of a full window is lost. */
void {name}_push(const {name}_code_t sample[{NAME}_CHANNELS]);

/* Returns how many samples of the window are still missing. */
int {name}_missing(void);

/* Decodes the newest {steps} samples; those that are missing count as 0. */
void {name}_decide({name}_output_t outputs[{NAME}_OUTPUTS]);"""

PUSH_SOURCE = """#include "{name}_stream.h"

/* Channel by channel, each a ring whose oldest sample is at `oldest`. */
static {name}_code_t window[{NAME}_CHANNELS * {NAME}_STEPS];
static int oldest, missing = {NAME}_STEPS;

void {name}_forget(void)
{{
    for (int i = 0; i < {NAME}_CHANNELS * {NAME}_STEPS; i++) window[i] = 0;
    oldest = 0;
    missing = {NAME}_STEPS;
}}

void {name}_push(const {name}_code_t sample[{NAME}_CHANNELS])
{{
    for (int c = 0; c < {NAME}_CHANNELS; c++) window[c * {NAME}_STEPS + oldest] = sample[c];
    oldest = oldest + 1 < {NAME}_STEPS ? oldest + 1 : 0;
    if (missing > 0) missing--;
}}

int {name}_missing(void)
{{
    return missing;
}}

/* Turns the codes from `first` to before `after` round. */
static void turn({name}_code_t *codes, int first, int after)
{{
    while (first < --after) {{
        const {name}_code_t kept = codes[first];
        codes[first++] = codes[after];
        codes[after] = kept;
    }}
}}

void {name}_decide({name}_output_t outputs[{NAME}_OUTPUTS])
{{
    for (int c = 0; c < {NAME}_CHANNELS && oldest > 0; c++) {{
        {name}_code_t *channel = window + c * {NAME}_STEPS;
        turn(channel, 0, oldest);
        turn(channel, oldest, {NAME}_STEPS);
        turn(channel, 0, {NAME}_STEPS);
    }}
    oldest = 0;
    {name}_window(window, outputs);
}}
"""
"""Rings are turned in place before a decision: no second window is kept, and a sample costs one write a channel."""

RECORDING = """/* Decodes a recording from its beginning: codes channel by channel, outputs step by step. */
void {name}_window(const {name}_code_t *codes, int steps, {name}_output_t *outputs);"""

RECORDING_SOURCE = """#include "{name}_stream.h"

static {name}_code_t sample[{NAME}_CHANNELS];

void {name}_window(const {name}_code_t *codes, int steps, {name}_output_t *outputs)
{{
    {name}_reset();
    for (int t = 0; t < steps; t++) {{
        for (int c = 0; c < {NAME}_CHANNELS; c++) sample[c] = codes[c * steps + t];
        {name}_step(sample, outputs + t * {NAME}_OUTPUTS);
    }}
}}
"""

STREAM_CHECK = """/* Runs the test vectors through the other entry point; returns 0 where outputs are as expected. */
#include <stdio.h>

#include "{name}_stream.h"
#include "{name}_vectors.h"

static {name}_output_t outputs[{results}];

int main(void)
{{
    long wrong = 0;
{calls}
    printf("%ld of %ld outputs differ\\n", wrong, (long){NAME}_CALLS * {NAME}_OUTPUTS);
    return wrong != 0;
}}
"""

PUSH_CALLS = """    {name}_code_t sample[{NAME}_CHANNELS];
    {name}_forget();
    for (int t = 0; t < {NAME}_STEPS / 3; t++) {name}_push({name}_codes);
    for (long call = 0; call < {NAME}_CALLS; call++) {{
        const {name}_code_t *codes = {name}_codes + call * {NAME}_INPUTS;
        for (int t = 0; t < {NAME}_STEPS; t++) {{
            for (int c = 0; c < {NAME}_CHANNELS; c++) sample[c] = codes[c * {NAME}_STEPS + t];
            {name}_push(sample);
        }}
        wrong += {name}_missing();
        {name}_decide(outputs);
        for (int i = 0; i < {NAME}_OUTPUTS; i++)
            wrong += outputs[i] != {name}_expected[call * {NAME}_OUTPUTS + i];
        {name}_push({name}_codes);
    }}"""

RECORDING_CALLS = """    static {name}_code_t codes[{NAME}_CHANNELS * {NAME}_RESTART];
    for (long call = 0; call < {NAME}_CALLS; call += {NAME}_RESTART) {{
        for (int t = 0; t < {NAME}_RESTART; t++)
            for (int c = 0; c < {NAME}_CHANNELS; c++)
                codes[c * {NAME}_RESTART + t] = {name}_codes[(call + t) * {NAME}_CHANNELS + c];
        {name}_window(codes, {NAME}_RESTART, outputs);
        for (int i = 0; i < {NAME}_RESTART * {NAME}_OUTPUTS; i++)
            wrong += outputs[i] != {name}_expected[call * {NAME}_OUTPUTS + i];
    }}"""


def stream_files(words: dict[str, str | int], entry: str) -> dict[str, str]:
    """Return header, source and check of the entry point that `entry` is not.

    Parameters
    ----------
    words : mapping of str to str or int
        What the templates are filled with: among them channels, steps, bytes and results.
    entry : {'window', 'step'}
    """
    name = words["name"]
    title, declared, source, calls = (
        ("Samples one by one, and a decision whenever one is wanted.", PUSH, PUSH_SOURCE, PUSH_CALLS)
        if entry == "window"
        else ("A recording at once.", RECORDING, RECORDING_SOURCE, RECORDING_CALLS)
    )
    header = {**words, "title": title, "declarations": declared.format(**words)}
    return {
        f"{name}_stream.h": STREAM_HEADER.format(**header),
        f"{name}_stream.c": source.format(**words),
        f"{name}_stream_check.c": STREAM_CHECK.format(**words, calls=calls.format(**words)),
    }
