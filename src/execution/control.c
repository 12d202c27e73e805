#include "execution/control.h"

#include <errno.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "execution/http.h"
#include "execution/place.h"
#include "execution/recover.h"

#define PATIENCE INT64_C(10000000000)

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static int refused(int status, const struct json *answer, struct error *err)
{
    const char *text = js_get_string(answer, "error");
    enum error_kind kind = status == 400   ? ERROR_USAGE
                           : status == 404 ? ERROR_NOT_FOUND
                           : status == 409 ? ERROR_STATE
                                           : ERROR_GENERIC;
    text = text ? text : "the supervisor refused";
    return kind == ERROR_GENERIC ? error_set(err, EIO, "%s", text)
                                 : error_kind_set(err, kind, "%s", text);
}

int control_ask(struct execution *e, const char *method, const char *path, const struct json *body,
                struct json **ret, struct error *err)
{
    _cleanup_free_ char *run = place_run(e, "");
    int r = execution_refresh(e, err);
    if (r == 0 && execution_is_over(e))
        r = error_kind_set(err, ERROR_STATE, "execution %s is over: it is %s", e->id,
                           execution_state_name(e->state));
    if (r == 0)
        r = recover_supervisor(e, err);
    if (r < 0)
        return r;
    _cleanup_json_ struct json *answer = NULL;
    int64_t end = monotonic_ns() + PATIENCE;
    while ((r = http_ask(run, "admin.sock", method, path, body, &answer, err)) < 0) {
        if ((r != -ENOENT && r != -ECONNREFUSED) || monotonic_ns() > end)
            return r;
        pause_ms(10); /* it is just being started */
    }
    if (r != 200)
        return refused(r, answer, err);
    if (ret)
        *ret = take_ptr(answer);
    return 0;
}

int control_take_over(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *run = place_run(e, "");
    int64_t end = monotonic_ns() + 2 * PATIENCE;
    for (;;) {
        _cleanup_json_ struct json *answer = NULL;
        int fd = place_lock(e, err);
        if (fd != -EWOULDBLOCK)
            return fd;
        if (monotonic_ns() > end)
            return error_set(err, ETIMEDOUT, "the supervisor of execution %s does not end", e->id);
        /* It may be waiting for its next try: whoever asks it something wakes it. */
        http_ask(run, "admin.sock", "GET", "/execution", NULL, &answer, NULL);
        pause_ms(10);
    }
}

int control_wait(struct execution *e, struct error *err)
{
    for (int i = 1;; i++) {
        int r = execution_refresh(e, err);
        if (r < 0 || execution_is_over(e))
            return r;
        if (i % 50 == 0 && recover_supervisor(e, NULL) < 0)
            continue;
        pause_ms(i < 20 ? 10 : 50);
    }
}
