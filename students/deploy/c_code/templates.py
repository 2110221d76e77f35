"""The fixed text of the C files."""

HEADER = """/* {name}: {what} of {shape} codes to {outputs} outputs, in integers only.
 *
 * A code has {bits} bits, {lowest} to {highest}.
 * An output is {meaning}: integer * {scale} + {offset}.
 * Nothing is allocated; buffers and state are static, so that one decoder runs at a time.
 */
#ifndef {NAME}_H
#define {NAME}_H

#include <stdint.h>

#define {NAME}_INPUTS {inputs}
#define {NAME}_OUTPUTS {outputs}

typedef {input_type} {name}_code_t;
typedef {output_type} {name}_output_t;

/* Forgets the past: call it before the first step of a recording. */
void {name}_reset(void);

/* Decodes {what}, codes in the order channel by channel. */
void {entry}(const {name}_code_t codes[{NAME}_INPUTS], {name}_output_t outputs[{NAME}_OUTPUTS]);

/* Returns the place of the greatest output, the first of equal ones. */
int {name}_class(const {name}_output_t outputs[{NAME}_OUTPUTS]);

#endif
"""

SOURCE = """#include "{name}.h"
#include "{name}_weights.h"

/* Each layer is a function of its own; a build that counts its instructions keeps it from being inlined. */
#ifndef {NAME}_LAYER
#define {NAME}_LAYER static
#endif

{memory}

/* Returns x / 2^bits, rounded down. */
static inline int64_t {name}_down(int64_t x, int bits)
{{
    return x >= 0 ? x >> bits : ~(~x >> bits);
}}

/* Returns number i of those of 2 or 4 bits in two's complement, the first in a byte's lowest bits. */
static inline int32_t {name}_packed(const uint8_t *numbers, int i, int bits)
{{
    const int per_byte = 8 / bits, sign = 1 << (bits - 1);
    return ((numbers[i / per_byte] >> i % per_byte * bits & (2 * sign - 1)) ^ sign) - sign;
}}

/* Returns x / 2^bits, rounded half to even. */
static inline int32_t {name}_shifted(int32_t x, int bits)
{{
    return bits > 0 ? (int32_t){name}_down(x + (INT64_C(1) << (bits - 1)) - 1 + ({name}_down(x, bits) & 1), bits) : x;
}}

/* Returns x within limits. */
static inline int32_t {name}_within(int32_t x, int32_t lowest, int32_t highest)
{{
    return x < lowest ? lowest : x > highest ? highest : x;
}}

/* Returns x * multiplier + offset over 2^shift, rounded half to even, within limits; `guard` bits are rounded first. */
static inline int32_t {name}_requantise(
    int64_t x, int32_t multiplier, int64_t offset, int shift, int guard, int32_t lowest, int32_t highest)
{{
    int64_t total = x * multiplier + offset;
    const int left = shift - guard;
    if (guard > 0) total = {name}_down(total + (INT64_C(1) << (guard - 1)), guard);
    if (left > 0) total = {name}_down(total + (INT64_C(1) << (left - 1)) - 1 + ({name}_down(total, left) & 1), left);
    return total < lowest ? lowest : total > highest ? highest : (int32_t)total;
}}

/* Returns the code of the step that x lies on: edges of a row are ascending. */
static inline int32_t {name}_step_of(
    int64_t x, const int32_t *edges, const int32_t *codes, const int32_t *first, int row)
{{
    int low = first[row], high = first[row + 1];
    while (low < high) {{
        const int middle = low + (high - low) / 2;
        if (edges[middle] <= x) low = middle + 1; else high = middle;
    }}
    return codes[low + row];
}}

{functions}

void {name}_reset(void)
{{
{reset}
}}

void {entry}(const {name}_code_t codes[{NAME}_INPUTS], {name}_output_t outputs[{NAME}_OUTPUTS])
{{
{calls}
    for (int i = 0; i < {NAME}_OUTPUTS; i++) outputs[i] = {last}[i];
}}

int {name}_class(const {name}_output_t outputs[{NAME}_OUTPUTS])
{{
    int best = 0;
    for (int i = 1; i < {NAME}_OUTPUTS; i++)
        if (outputs[i] > outputs[best]) best = i;
    return best;
}}
"""

CHECK = """/* Runs the test vectors; returns 0 where every output is the expected one. */
#include <stdio.h>

#include "{name}.h"
#include "{name}_vectors.h"

int main(void)
{{
    long wrong = 0;
    {name}_output_t outputs[{NAME}_OUTPUTS];
    for (long call = 0; call < {NAME}_CALLS; call++) {{
        if ({NAME}_RESTART == 0 || call % ({NAME}_RESTART ? {NAME}_RESTART : 1) == 0) {name}_reset();
        {entry}({name}_codes + call * {NAME}_INPUTS, outputs);
        for (int i = 0; i < {NAME}_OUTPUTS; i++)
            wrong += outputs[i] != {name}_expected[call * {NAME}_OUTPUTS + i];
    }}
    printf("%ld of %ld outputs differ\\n", wrong, (long){NAME}_CALLS * {NAME}_OUTPUTS);
    return wrong != 0;
}}
"""
