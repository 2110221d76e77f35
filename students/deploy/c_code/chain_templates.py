"""The fixed text of the C files of an input chain."""

HEADER = """/* Samples of {channels} channels of {bits} bits to the codes of {name}, in integers only.
 *
 * Nothing is allocated; the filters' state is static, so that one recording runs at a time.
 */
#ifndef {NAME}_CHAIN_H
#define {NAME}_CHAIN_H

#include <stdint.h>

#define {NAME}_CHAIN_CHANNELS {channels}
#define {NAME}_CHAIN_MOST {most}

typedef {sample_type} {name}_sample_t;
typedef {code_type} {name}_chain_code_t;

/* Starts a recording as if its first sample had lasted for ever; that sample is pushed as any other. */
void {name}_chain_reset(const {name}_sample_t first[{NAME}_CHAIN_CHANNELS]);

/* Takes the newest sample of every channel; returns how many codes of every channel it gives, one set after another. */
int {name}_chain_push(
    const {name}_sample_t sample[{NAME}_CHAIN_CHANNELS],
    {name}_chain_code_t codes[{NAME}_CHAIN_MOST * {NAME}_CHAIN_CHANNELS]);

#endif
"""

SOURCE = """#include "{name}_chain.h"

#define CHANNELS {channels}
#define MOST {most}

/* Not every chain uses each of these. */
#if defined(__GNUC__)
#define MAYBE __attribute__((unused))
#else
#define MAYBE
#endif

/* Returns x / 2^bits, rounded down. */
static inline int64_t down(int64_t x, int bits)
{{
    return x >= 0 ? x >> bits : ~(~x >> bits);
}}

/* Returns x / 2^bits, rounded, ties up. */
static inline MAYBE int64_t rounded(int64_t x, int bits)
{{
    return down(x + (INT64_C(1) << bits >> 1), bits);
}}

/* Returns x * factor / divisor, rounded, ties up. */
static inline MAYBE int64_t quotient(int64_t x, int64_t factor, int64_t divisor)
{{
    const int64_t above = 2 * x * factor + divisor, below = 2 * divisor;
    return above >= 0 ? above / below : -((-above + below - 1) / below);
}}

/* Returns x within the ends of a state. */
static inline int32_t within(int64_t x)
{{
    return x > {limit} ? {limit} : x < -{limit} ? -{limit} : (int32_t)x;
}}

/* Returns the root of x * 2^bits, rounded down; 0 for what is negative. */
static MAYBE int64_t root(int64_t x, int bits)
{{
    const uint64_t value = x > 0 ? (uint64_t)x << bits : 0;
    uint64_t found = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit > 0; bit >>= 1)
        if ((found + bit) * (found + bit) <= value) found += bit;
    return (int64_t)found;
}}

{stages}
/* Writes the codes of one set of samples. */
static void put(const int64_t *x, {name}_chain_code_t *codes)
{{
    for (int c = 0; c < CHANNELS; c++) {{
        const int64_t half = {shift} > 0 ? (INT64_C(1) << {shift} >> 1) - 1 + (down(x[c], {shift}) & 1) : 0;
        const int64_t code = down(x[c] + half, {shift});
        codes[c] = ({name}_chain_code_t)(code < {low} ? {low} : code > {high} ? {high} : code);
    }}
}}

void {name}_chain_reset(const {name}_sample_t first[{NAME}_CHAIN_CHANNELS])
{{
    int64_t x[CHANNELS];
    int64_t y[MOST * CHANNELS];
    for (int c = 0; c < CHANNELS; c++) x[c] = (int64_t)first[c] * (1 << {fraction});
    for (int i = 0; i < MOST * CHANNELS; i++) y[i] = 0;
{rest}
    (void)x;
    (void)y;
}}

int {name}_chain_push(
    const {name}_sample_t sample[{NAME}_CHAIN_CHANNELS],
    {name}_chain_code_t codes[{NAME}_CHAIN_MOST * {NAME}_CHAIN_CHANNELS])
{{
    int64_t x[CHANNELS];
    int many = 0;
    for (int c = 0; c < CHANNELS; c++) x[c] = (int64_t)sample[c] * (1 << {fraction});
{run}
    return many;
}}
"""

CHECK = """/* Runs a recording through the chain; returns 0 where every code is the expected one. */
#include <stdio.h>

#include "{name}_chain.h"

{vectors}
int main(void)
{{
    long wrong = 0, seen = 0;
    {name}_chain_code_t codes[{NAME}_CHAIN_MOST * {NAME}_CHAIN_CHANNELS];
    {name}_chain_reset({name}_samples);
    for (long t = 0; t < {samples}; t++) {{
        const int many = {name}_chain_push({name}_samples + t * {channels}, codes) * {channels};
        for (int i = 0; i < many; i++, seen++)
            wrong += seen >= {codes}L * {channels} || codes[i] != {name}_chain_expected[seen];
    }}
    wrong += seen != {codes}L * {channels};
    printf("%ld of %ld codes differ\\n", wrong, {codes}L * {channels});
    return wrong != 0;
}}
"""
