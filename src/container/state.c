#include "container/state.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "container/cgroup.h"
#include "container/firn.h"
#include "container/monitor.h"
#include "container/runtime.h"

#define EXIT_FILE_PATIENCE INT64_C(10000000000)

static const char *const names[] = {
    [CONTAINER_CREATED] = "created",   [CONTAINER_INITIALIZED] = "initialized",
    [CONTAINER_RUNNING] = "running",   [CONTAINER_PAUSED] = "paused",
    [CONTAINER_STOPPING] = "stopping", [CONTAINER_STOPPED] = "stopped",
    [CONTAINER_EXITED] = "exited",     [CONTAINER_REMOVING] = "removing",
};

const char *container_state_name(enum container_state state)
{
    return names[state];
}

const char *container_state_shown(enum container_state state)
{
    return names[state == CONTAINER_STOPPED ? CONTAINER_EXITED : state];
}

int container_state_parse(const char *name)
{
    if (strcmp(name, "configured") == 0)
        return CONTAINER_CREATED;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

bool container_state_is_alive(enum container_state state)
{
    return state == CONTAINER_RUNNING || state == CONTAINER_PAUSED || state == CONTAINER_STOPPING;
}

/* "<pid> <start time>", written when it was created in the runtime. */
static bool read_process(const struct container *c, struct process *ret)
{
    char line[64];
    int pid;
    unsigned long long ticks;
    _cleanup_free_ char *path = container_run_path(c, "process");
    if (file_read_line(path, line, sizeof(line)) < 0 || sscanf(line, "%d %llu", &pid, &ticks) != 2)
        return false;
    *ret = (struct process){.pid = pid, .start_ticks = ticks};
    return true;
}

static enum container_state living_state(const struct container *c)
{
    if (runtime_is_waiting_for_start(c))
        return CONTAINER_INITIALIZED;
    if (cgroup_is_frozen(c))
        return CONTAINER_PAUSED;
    _cleanup_free_ char *stopping = container_run_path(c, "stopping");
    return path_exists(stopping) ? CONTAINER_STOPPING : CONTAINER_RUNNING;
}

/* Nothing is left of a run: what the database says of it. */
static int recorded_status(struct container *c, struct container_status *s, struct error *err)
{
    const struct container_facts *f = &c->facts;
    /* It ended after these facts were read; or the machine did while it ran. */
    if (f->started_at > f->finished_at) {
        int r = container_refresh(c, err);
        if (r < 0)
            return r;
    }
    bool lost = f->started_at > f->finished_at;
    s->state = f->started_at || f->finished_at ? CONTAINER_EXITED : CONTAINER_CREATED;
    s->started_at = f->started_at;
    s->exit_code = lost ? EXIT_CODE_UNKNOWN : f->exit_code;
    s->finished_at = lost ? f->started_at : f->finished_at;
    return 0;
}

/* The init is gone: conmon is about to say how it ended, has said it, or never will. */
static int ended_status(struct container *c, struct container_status *s, struct error *err)
{
    struct process again;
    monitor_exit_wait(c, EXIT_FILE_PATIENCE);
    s->state = CONTAINER_STOPPED;
    if (monitor_exit_read(c, &s->exit_code, &s->finished_at) == 0)
        return 0;
    if (!read_process(c, &again))
        return recorded_status(c, s, err); /* cleaned up while we looked */
    s->exit_code = EXIT_CODE_UNKNOWN;
    s->finished_at = now_ns();
    return 0;
}

int container_status(struct container *c, struct container_status *ret, struct error *err)
{
    struct container_status s = {.started_at = c->facts.started_at};
    struct process init = {0};
    int r = 0;
    pid_t conmon = monitor_pid(c);
    if (conmon > 0)
        process_identify(conmon, &s.conmon);
    if (!read_process(c, &init)) {
        r = recorded_status(c, &s, err);
    } else if (process_alive(&init)) {
        s.state = living_state(c);
        s.init = init;
    } else {
        r = ended_status(c, &s, err);
    }
    if (r == 0)
        *ret = s;
    return r;
}

char *container_status_text(const struct container_status *s)
{
    int64_t now = now_ns();
    switch (s->state) {
    case CONTAINER_RUNNING: {
        _cleanup_free_ char *since = duration_human(now - s->started_at);
        return xasprintf("Up %s", since);
    }
    case CONTAINER_STOPPED:
    case CONTAINER_EXITED: {
        _cleanup_free_ char *since = duration_human(now - s->finished_at);
        return xasprintf("Exited (%d) %s ago", s->exit_code, since);
    }
    default: {
        char *text = xstrdup(names[s->state]);
        text[0] = (char)(text[0] - 'a' + 'A');
        return text;
    }
    }
}
