#include "engine/batch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "engine/stage.h"

#define MAY_FAIL (1ull << 63)
/* One call for so many bytes of the stage: an eighth of it holds calls. */
#define BYTES_PER_CALL (STAGE_DATA_SIZE / BATCH_CALLS_MAX)

static remote_addr data_at(const struct batch *b)
{
    return b->at + b->calls_max * sizeof(struct remote_call);
}

void batch_start(struct batch *b, struct puppet *p)
{
    batch_start_share(b, p, 0, 1);
}

void batch_start_share(struct batch *b, struct puppet *p, size_t index, size_t shares)
{
    size_t size = (STAGE_DATA_SIZE / shares) & ~63ull;
    b->puppet = p;
    b->at = p->stage.data + index * size;
    b->calls_max = size / BYTES_PER_CALL;
    b->room = size - b->calls_max * sizeof(struct remote_call);
    b->data = xmalloc(b->room);
    b->running = false;
    b->pending.code = 0;
    batch_reset(b);
}

void batch_reset(struct batch *b)
{
    b->count = 0;
    b->used = 0;
}

void batch_free(struct batch *b)
{
    free(b->data);
    b->data = NULL;
}

bool batch_fits(const struct batch *b, size_t calls, size_t bytes)
{
    return b->count + calls <= b->calls_max && b->used + bytes + 16 * calls <= b->room;
}

static size_t add(struct batch *b, uint64_t flags, const char *what, long number,
                  const uint64_t args[6])
{
    if (b->count == b->calls_max) {
        if (!b->pending.code)
            error_set(&b->pending, E2BIG, "too many remote calls in one batch");
        return 0;
    }
    struct remote_call *c = &b->calls[b->count];
    *c = (struct remote_call){.number = (uint64_t)number | flags};
    memcpy(c->args, args, sizeof(c->args));
    b->what[b->count] = what;
    return b->count++;
}

size_t batch_call_(struct batch *b, const char *what, long number, const uint64_t args[6])
{
    return add(b, 0, what, number, args);
}

size_t batch_try_(struct batch *b, long number, const uint64_t args[6])
{
    return add(b, MAY_FAIL, NULL, number, args);
}

remote_addr batch_room(struct batch *b, size_t size)
{
    size_t at = (b->used + 15) & ~15ull;
    if (at + size > b->room) {
        if (!b->pending.code)
            error_set(&b->pending, E2BIG, "too much data for one batch of remote calls");
        return data_at(b);
    }
    memset(b->data + b->used, 0, at + size - b->used);
    b->used = at + size;
    return data_at(b) + at;
}

remote_addr batch_data(struct batch *b, const void *data, size_t size)
{
    remote_addr at = batch_room(b, size);
    if (!b->pending.code && size)
        memcpy(b->data + (at - data_at(b)), data, size);
    return at;
}

remote_addr batch_string(struct batch *b, const char *s)
{
    return batch_data(b, s, strlen(s) + 1);
}

int64_t batch_result(const struct batch *b, size_t index)
{
    return b->calls[index].result;
}

const void *batch_local(const struct batch *b, remote_addr at)
{
    return b->data + (at - data_at(b));
}

static int transfer_in(struct batch *b, struct error *err)
{
    pid_t pid = b->puppet->process;
    int r = remote_write(pid, b->at, b->calls, b->count * sizeof(b->calls[0]));
    if (r == 0 && b->used)
        r = remote_write(pid, data_at(b), b->data, b->used);
    return r < 0 ? error_errno(err, -r, "cannot write into process %d", b->puppet->vtid) : 0;
}

static int transfer_out(struct batch *b, struct error *err)
{
    pid_t pid = b->puppet->process;
    int r = remote_read(pid, b->at, b->calls, b->count * sizeof(b->calls[0]));
    if (r == 0 && b->used)
        r = remote_read(pid, data_at(b), b->data, b->used);
    return r < 0 ? error_errno(err, -r, "cannot read from process %d", b->puppet->vtid) : 0;
}

int batch_begin(struct batch *b, struct error *err)
{
    struct puppet *p = b->puppet;
    if (b->pending.code) {
        *err = b->pending;
        return -err->code;
    }
    if (b->count == 0)
        return 0;
    int r = transfer_in(b, err);
    if (r < 0)
        return r;
    struct registers regs = p->saved;
    registers_set_executor(&regs, p->stage.code, b->at, b->count, p->rescue);
    if (registers_set(p->tid, &regs) < 0)
        return error_set(err, ESRCH, "process %d died while it was being driven", p->vtid);
    r = puppet_go(p, err);
    b->running = r == 0;
    return r;
}

static int end(struct batch *b, struct births *births, struct error *err)
{
    struct puppet *p = b->puppet;
    struct registers regs;
    if (!b->running)
        return 0;
    b->running = false;
    int r = puppet_wait_for_trap(p, births, err);
    if (r == 0)
        r = transfer_out(b, err);
    if (r < 0)
        return r;
    if (registers_get(p->tid, &regs) < 0)
        return error_set(err, ESRCH, "process %d died while it was being driven", p->vtid);
    size_t left = (size_t)registers_executor_left(&regs), failed = b->count - left;
    b->count = 0;
    if (left)
        return error_errno(err, (int)-b->calls[failed].result, "process %d cannot %s", p->vtid,
                           b->what[failed]);
    return 0;
}

int batch_end(struct batch *b, struct error *err)
{
    return end(b, NULL, err);
}

int batch_run(struct batch *b, struct error *err)
{
    int r = batch_begin(b, err);
    return r < 0 ? r : end(b, NULL, err);
}

int batch_run_births(struct batch *b, pid_t *born, size_t born_max, size_t *born_count,
                     struct error *err)
{
    struct births births = {.tids = born, .max = born_max};
    int r = batch_begin(b, err);
    if (r == 0)
        r = end(b, &births, err);
    *born_count = births.count;
    return r;
}
