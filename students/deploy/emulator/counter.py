"""A plug-in for QEMU that counts instructions by function."""

COUNTER = """/* Counts executed instructions by range of addresses; what it calls outside of all ranges is its own. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__has_include)
#if __has_include(<qemu-plugin.h>)
#include <qemu-plugin.h>
#define HAVE_HEADER 1
#endif
#endif

#ifndef HAVE_HEADER
typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *block, void (*call)(unsigned, void *), int flags, void *given);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, void *), void *given);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
#define QEMU_PLUGIN_CB_NO_REGS 0
#define QEMU_PLUGIN_VERSION 1
#define QEMU_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define MOST 4096
static struct { uint64_t first, after; int place; } ranges[MOST];
static uint64_t counts[MOST + 1];
static int known, current;
static const char *target;

struct block { int place; size_t instructions; };

/* Place 0 is everything outside; a block outside of all ranges is counted where the last range was. */
static void executed(unsigned core, void *given)
{
    const struct block *found = given;
    (void)core;
    if (found->place >= 0) current = found->place;
    counts[current] += found->instructions;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    struct block *kept = malloc(sizeof *kept);
    const uint64_t address = qemu_plugin_tb_vaddr(block);
    (void)id;
    kept->place = -1;
    kept->instructions = qemu_plugin_tb_n_insns(block);
    for (int i = 0; i < known; i++)
        if (address >= ranges[i].first && address < ranges[i].after) kept->place = ranges[i].place;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, QEMU_PLUGIN_CB_NO_REGS, kept);
}

static void finished(qemu_plugin_id_t id, void *given)
{
    FILE *file = fopen(target, "w");
    (void)id;
    (void)given;
    if (!file) return;
    for (int i = 0; i <= MOST; i++)
        if (counts[i]) fprintf(file, "%d %" PRIu64 "\\n", i, counts[i]);
    fclose(file);
}

/* Arguments: ranges=FILE with lines "first after place", counts=FILE to write. */
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    FILE *file;
    (void)info;
    if (argc != 2 || !(file = fopen(argv[0] + 7, "r"))) return 1;
    target = argv[1] + 7;
    while (known < MOST && fscanf(file, "%" SCNx64 " %" SCNx64 " %d", &ranges[known].first, &ranges[known].after,
                                  &ranges[known].place) == 3) known++;
    fclose(file);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
"""
"""Counts by translated block: every block ends with a branch, and nothing interrupts one."""
