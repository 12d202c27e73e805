#include "execution/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/process.h"
#include "container/firn.h"
#include "execution/place.h"
#include "execution/requests.h"
#include "execution/supervision.h"
#include "execution/vessel.h"

#define SECONDS(n)  ((n)*INT64_C(1000000000))
#define BACKOFF_MAX SECONDS(60)

/* ---- what is kept ---- */

void supervision_save(struct supervision *s)
{
    struct error err = {0};
    if (execution_save(s->e, &err) == 0)
        return;
    firn_log(s->e->firn, LOG_LEVEL_ERROR, "execution %s: %s", s->e->id, err.text);
    s->gone = err.kind == ERROR_NOT_FOUND;
}

void supervision_note(struct supervision *s, const char *text)
{
    free(s->e->error);
    s->e->error = xstrdup_null(text);
    if (text)
        firn_log(s->e->firn, LOG_LEVEL_ERROR, "execution %s: %s", s->e->id, text);
}

void supervision_end(struct supervision *s, enum execution_state state, int code)
{
    s->e->state = state;
    s->e->exit_code = code;
    s->e->finished_at = now_ns();
    s->e->retry_at = 0;
    s->kill_at = s->e->finished_at + s->e->policy.grace;
    supervision_save(s);
}

/* ---- the container's end ---- */

/* The worker died, or could not be brought back: again, a little later each time. */
static void failed(struct supervision *s, int code, const char *why)
{
    struct execution *e = s->e;
    supervision_note(s, why);
    e->failures++;
    if (e->failures > e->policy.retries) {
        supervision_end(s, EXECUTION_FAILED, code);
        return;
    }
    int64_t wait = e->policy.backoff;
    for (int64_t i = 1; i < e->failures && wait < BACKOFF_MAX; i++)
        wait *= 2;
    e->retry_at = now_ns() + (wait < BACKOFF_MAX ? wait : BACKOFF_MAX);
    supervision_save(s);
}

static void ended(struct supervision *s, const struct container_status *status)
{
    struct execution *e = s->e;
    if (e->state != EXECUTION_RUNNING)
        return;
    if (status->exit_code == 0) {
        supervision_note(s, NULL);
        supervision_end(s, EXECUTION_FINISHED, 0);
        return;
    }
    _cleanup_free_ char *why = xasprintf("the worker ended with exit code %d", status->exit_code);
    failed(s, status->exit_code, why);
}

/* ---- running ---- */

static void bring_up(struct supervision *s)
{
    struct error err = {0};
    int r = vessel_bring_up(s->e, &err);
    s->e->retry_at = 0;
    s->ran = r == 0;
    if (r < 0)
        failed(s, 125, err.text);
    else
        supervision_save(s);
}

/* A pidfd of the worker, which is readable when it has ended. */
static void watch(struct supervision *s, const struct process *init)
{
    s->init_fd = process_open(init);
    s->ran = s->init_fd >= 0 || s->ran;
}

/* It came to its end while nobody looked: neither by a checkpoint nor with the machine. */
static bool ended_well(const struct container *c, const struct container_status *status)
{
    return (status->state == CONTAINER_EXITED || status->state == CONTAINER_STOPPED) &&
           status->exit_code == 0 && !c->facts.checkpointed;
}

/* Returns how long to wait, in ns; 0: look again at once; negative: until something comes. */
static int64_t keep_running(struct supervision *s)
{
    struct container_status status = {0};
    _cleanup_container_ struct container *c = NULL;
    int r = vessel_look(s->e, &c, &status, NULL);
    if (r == 0 && container_state_is_alive(status.state)) {
        watch(s, &status.init);
        return s->init_fd >= 0 ? -1 : SECONDS(1);
    }
    /* One that this supervisor has seen running has ended; another one was ended by whatever ended
     * its supervisor too. */
    if (s->ran && r < 0) {
        s->ran = false;
        failed(s, 125, "the worker's container was removed");
        return 0;
    }
    if (s->ran || (r == 0 && ended_well(c, &status))) {
        s->ran = false;
        ended(s, &status);
        return 0;
    }
    int64_t left = s->e->retry_at - now_ns();
    if (left > 0)
        return left;
    bring_up(s);
    return 0;
}

static int64_t keep_suspended(struct supervision *s)
{
    int64_t left = s->e->wake_at - now_ns();
    if (!s->e->wake_at || left > 0)
        return s->e->wake_at ? left : -1;
    s->e->state = EXECUTION_RUNNING;
    s->e->wake_at = 0;
    supervision_save(s);
    return 0;
}

/* The one before us was killed in the middle: had it got so far that the container is on disk? */
static int64_t decide_suspending(struct supervision *s)
{
    struct container_status status = {0};
    int r = vessel_look(s->e, NULL, &status, NULL);
    bool runs = r == 0 && container_state_is_alive(status.state);
    s->e->state = runs ? EXECUTION_RUNNING : EXECUTION_SUSPENDED;
    supervision_save(s);
    return 0;
}

/* It is over: what still runs has had its time. */
static int64_t let_end(struct supervision *s)
{
    struct container_status status = {0};
    int r = vessel_look(s->e, NULL, &status, NULL);
    int64_t left = s->kill_at - now_ns();
    if (r < 0 || !container_state_is_alive(status.state)) {
        s->gone = true;
        return 0;
    }
    if (left <= 0) {
        vessel_kill(s->e, SIGKILL, NULL);
        return SECONDS(1);
    }
    watch(s, &status.init);
    return left;
}

static int64_t see_to_it(struct supervision *s)
{
    static int64_t (*const by_state[])(struct supervision *) = {
        [EXECUTION_RUNNING] = keep_running,     [EXECUTION_SUSPENDING] = decide_suspending,
        [EXECUTION_SUSPENDED] = keep_suspended, [EXECUTION_FINISHED] = let_end,
        [EXECUTION_FAILED] = let_end,           [EXECUTION_KILLED] = let_end,
    };
    if (s->init_fd >= 0)
        close(take_fd(s->init_fd));
    return by_state[s->e->state](s);
}

static int to_ms(int64_t ns)
{
    const int64_t most = SECONDS(3600); /* the clock of the wall may be set meanwhile */
    if (ns < 0 || ns > most)
        ns = most;
    return (int)((ns + 999999) / 1000000);
}

static void loop(struct supervision *s)
{
    while (!s->gone) {
        int64_t wait = see_to_it(s);
        if (wait == 0)
            continue;
        int64_t pending = requests_deadline(s);
        if (pending >= 0 && (wait < 0 || pending < wait))
            wait = pending;
        server_poll(&s->server, s->init_fd, to_ms(wait));
        requests_serve(s);
        if (!s->gone &&
            (execution_refresh(s->e, NULL) == -ENOENT || !place_lock_holds(s->e, s->lock_fd)))
            s->gone = true;
    }
}

int supervise(struct execution *e, struct error *err)
{
    _cleanup_close_ int lock = place_lock(e, err);
    if (lock < 0)
        return lock == -EWOULDBLOCK ? 1 : lock;
    signal(SIGPIPE, SIG_IGN);
    struct supervision s = {.e = e, .lock_fd = lock, .init_fd = -1};
    int r = execution_refresh(e, err);
    if (r == -ENOENT)
        place_remove_run(e); /* it was removed while we started */
    if (r == 0)
        r = server_open(&s.server, e, err);
    if (r < 0)
        return r;
    loop(&s);
    if (s.init_fd >= 0)
        close(s.init_fd);
    server_close(&s.server);
    return 0;
}
