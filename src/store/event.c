#include "store/event.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/image.h"

/* A line is written by one call, so that lines of several writers do not mix. */
enum { LOG_SIZE_MAX = 8 << 20, CHUNK = 64 << 10, WAIT_MS = 200 };

/* ---- writing ---- */

static char *event_line(const struct event *e)
{
    _cleanup_json_ struct json *o = js_object();
    _cleanup_free_ char *time = time_rfc3339(now_ns());
    if (e->id)
        js_set(o, "ID", js_string(e->id));
    if (e->image)
        js_set(o, "Image", js_string(e->image));
    if (e->name)
        js_set(o, "Name", js_string(e->name));
    js_set(o, "Status", js_string(e->status));
    js_set(o, "Time", js_string(time));
    js_set(o, "Type", js_string(e->type));
    js_set(o, "Attributes", e->attributes ? js_copy(e->attributes) : js_object());
    if (e->exit_code)
        js_set(o, "ContainerExitCode", js_int(*e->exit_code));
    _cleanup_free_ char *text = js_dump(o, 0);
    return xasprintf("%s\n", text);
}

static void rotate(const struct store *s, const char *path, int fd)
{
    struct stat ours, there;
    if (flock(fd, LOCK_EX) < 0 || fstat(fd, &ours) < 0 || stat(path, &there) < 0 ||
        ours.st_ino != there.st_ino)
        return; /* somebody did it already */
    _cleanup_free_ char *old = store_path(s, "events/log.1");
    if (rename(path, old) < 0)
        unlink(path);
}

void event_emit(const struct store *s, const struct event *e)
{
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
    _cleanup_free_ char *path = store_path(s, "events/log");
    _cleanup_free_ char *line = event_line(e);
    int fd_or = open(path, flags, 0600);
    if (fd_or < 0 && errno == ENOENT) {
        _cleanup_free_ char *directory = store_path(s, "events");
        mkdir(directory, 0700);
        fd_or = open(path, flags, 0600);
    }
    _cleanup_close_ int fd = fd_or;
    if (fd < 0 || write_full(fd, line, strlen(line)) < 0)
        return;
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size > LOG_SIZE_MAX)
        rotate(s, path, fd);
}

void event_emit_image(const struct store *s, const char *status, const struct image *image,
                      const char *name)
{
    const char *first = image->names && image->names[0] ? image->names[0] : NULL;
    const struct event e = {
        .type = "image",
        .status = status,
        .id = image->id,
        .name = name ? name : first,
    };
    event_emit(s, &e);
}

/* ---- choosing ---- */

static bool any_text(const char *is, const char *wanted)
{
    return is && *wanted && strcmp(is, wanted) == 0;
}

static bool is_type(const struct json *e, const char *type)
{
    return any_text(js_get_string(e, "Type"), type);
}

static bool by_name_or_id(const struct json *e, const char *type, const char *value)
{
    const char *id = js_get_string(e, "ID");
    return is_type(e, type) && (any_text(js_get_string(e, "Name"), value) ||
                                (id && strlen(value) >= 3 && string_starts(id, value)));
}

static bool by_container(const struct json *e, const char *value)
{
    return by_name_or_id(e, "container", value);
}

static bool by_image(const struct json *e, const char *value)
{
    const char *image = js_get_string(e, "Image");
    const char *name = image ? image : is_type(e, "image") ? js_get_string(e, "Name") : NULL;
    if (by_name_or_id(e, "image", value))
        return true;
    /* "busybox" means "docker.io/library/busybox:latest" too. */
    const char *at = name ? strstr(name, value) : NULL;
    return at && (at == name || at[-1] == '/') &&
           (at[strlen(value)] == '\0' || at[strlen(value)] == ':');
}

static bool by_event(const struct json *e, const char *value)
{
    return any_text(js_get_string(e, "Status"), value);
}

static bool by_type(const struct json *e, const char *value)
{
    return is_type(e, value);
}

static bool by_volume(const struct json *e, const char *value)
{
    return by_name_or_id(e, "volume", value);
}

static bool by_network(const struct json *e, const char *value)
{
    return by_name_or_id(e, "network", value);
}

static bool by_pod(const struct json *e, const char *value)
{
    return by_name_or_id(e, "pod", value);
}

static bool by_label(const struct json *e, const char *value)
{
    const char *equals = strchr(value, '=');
    _cleanup_free_ char *key = equals ? xstrndup(value, (size_t)(equals - value)) : xstrdup(value);
    const char *is = js_text(js_path(e, "Attributes", key, NULL));
    return is && (!equals || strcmp(is, equals + 1) == 0);
}

static const struct event_filter {
    const char *key;
    bool (*match)(const struct json *e, const char *value);
} filters[] = {
    {"container", by_container}, {"event", by_event}, {"image", by_image}, {"label", by_label},
    {"network", by_network},     {"pod", by_pod},     {"type", by_type},   {"volume", by_volume},
};

static int check_filters(char *const *list, struct error *err)
{
    STRV_FOREACH(text, list)
    {
        size_t n = strcspn(*text, "=");
        bool known = false;
        if (!(*text)[n] || !(*text)[n + 1])
            return error_kind_set(err, ERROR_USAGE, "%s is an invalid filter", *text);
        for (size_t i = 0; i < ARRAY_LEN(filters); i++)
            known |= strlen(filters[i].key) == n && strncmp(filters[i].key, *text, n) == 0;
        if (!known)
            return error_kind_set(err, ERROR_USAGE, "%.*s is an invalid filter", (int)n, *text);
    }
    return 0;
}

static bool passes(const struct json *e, char *const *list)
{
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        bool asked = false, matched = false;
        STRV_FOREACH(text, list)
        {
            const char *rest = string_after(*text, filters[i].key);
            if (!rest || *rest != '=')
                continue;
            asked = true;
            matched |= filters[i].match(e, rest + 1);
        }
        if (asked && !matched)
            return false;
    }
    return true;
}

/* ---- reading ---- */

struct reading {
    const struct store *store;
    const struct event_query *query;
    event_show show;
    void *context;
    int fd; /* of the log, -1: not there yet */
    int64_t begin;
    struct buf rest; /* of a line */
};

static void reading_clear(struct reading *r)
{
    if (r->fd >= 0)
        close(r->fd);
    buf_free(&r->rest);
}

/* 0: go on; 1: the time is over. */
static int take_line(struct reading *r, const char *line, size_t size, int *ret, struct error *err)
{
    _cleanup_json_ struct json *e = NULL;
    int64_t time = 0;
    if (js_parse(line, size, "event", &e, NULL) < 0)
        return 0; /* cut off by a full disk */
    const char *text = js_get_string(e, "Time");
    if (!text || time_parse(text, &time, NULL) < 0 || time < r->begin)
        return 0;
    if (r->query->until && time > r->query->until)
        return 1;
    if (!passes(e, r->query->filters))
        return 0;
    *ret = r->show(r->context, e, err);
    return *ret != 0;
}

/* What is new in the open file. */
static int read_lines(struct reading *r, int *ret, struct error *err)
{
    for (;;) {
        ssize_t n = read(r->fd, buf_reserve(&r->rest, CHUNK), CHUNK);
        if (n <= 0)
            return 0;
        r->rest.size += (size_t)n;
        char *at = r->rest.data, *end = at + r->rest.size, *stop;
        while ((stop = memchr(at, '\n', (size_t)(end - at)))) {
            if (take_line(r, at, (size_t)(stop - at), ret, err))
                return 1;
            at = stop + 1;
        }
        size_t left = (size_t)(end - at);
        memmove(r->rest.data, at, left);
        r->rest.size = left;
    }
}

static int open_log(struct reading *r, const char *name)
{
    _cleanup_free_ char *path = store_path(r->store, "events/%s", name);
    if (r->fd >= 0)
        close(r->fd);
    r->rest.size = 0;
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    return r->fd;
}

static bool was_rotated(const struct reading *r)
{
    _cleanup_free_ char *path = store_path(r->store, "events/log");
    struct stat now, ours;
    if (stat(path, &now) < 0)
        return false;
    return r->fd < 0 || fstat(r->fd, &ours) < 0 || now.st_ino != ours.st_ino;
}

/* Reads what is there; what was written between the last look and a rotation too. */
static int catch_up(struct reading *r, int *ret, struct error *err)
{
    int over = r->fd >= 0 ? read_lines(r, ret, err) : 0;
    while (!over && was_rotated(r)) {
        over = r->fd >= 0 ? read_lines(r, ret, err) : 0;
        if (over || open_log(r, "log") < 0)
            break;
        over = read_lines(r, ret, err);
    }
    return over;
}

static int wait_and_read(struct reading *r, int *ret, struct error *err)
{
    const struct event_query *q = r->query;
    _cleanup_free_ char *directory = store_path(r->store, "events");
    mkdir(directory, 0700);
    _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0 || inotify_add_watch(watch, directory, IN_MODIFY | IN_CREATE) < 0)
        return error_errno(err, errno, "cannot watch %s", directory);
    int over;
    while (!(over = catch_up(r, ret, err))) {
        char events[4096];
        struct pollfd p = {.fd = watch, .events = POLLIN};
        if (poll(&p, 1, WAIT_MS) > 0 && read(watch, events, sizeof(events)) < 0)
            continue;
        if ((q->until && now_ns() > q->until) || (q->cancelled && q->cancelled(r->context)))
            break;
    }
    return *ret < 0 ? *ret : 0;
}

int event_read(const struct store *s, const struct event_query *query, event_show show,
               void *context, struct error *err)
{
    _cleanup_(reading_clear) struct reading r = {
        .store = s, .query = query, .show = show, .context = context, .fd = -1};
    int result = 0;
    int n = check_filters(query->filters, err);
    if (n < 0)
        return n;
    r.begin = query->since ? query->since : query->tail ? now_ns() : 0;
    bool over = open_log(&r, "log.1") >= 0 && read_lines(&r, &result, err);
    if (!over && open_log(&r, "log") >= 0)
        over = read_lines(&r, &result, err);
    if (!over && query->stream && (!query->until || now_ns() < query->until)) {
        n = wait_and_read(&r, &result, err);
        return n < 0 ? n : result;
    }
    return result;
}

/* ---- showing ---- */

static void add_attributes(const struct json *e, struct buf *b)
{
    struct json *attributes = js_get(e, "Attributes");
    JSON_FOREACH_KEY(attributes, it)
    buf_printf(b, ", %s=%s", js_iter_key(it), js_text(js_iter_value(it)));
}

char *event_text(const struct json *e, bool whole)
{
    _cleanup_buf_ struct buf b = {0};
    int64_t ns = 0;
    const char *type = js_get_string(e, "Type"), *id = js_get_string(e, "ID");
    const char *name = js_get_string(e, "Name"), *image = js_get_string(e, "Image");
    time_parse(js_get_string(e, "Time"), &ns, NULL);
    _cleanup_free_ char *time = time_go(ns);
    buf_printf(&b, "%s %s %s", time, type, js_get_string(e, "Status"));
    if (id)
        buf_printf(&b, " %.*s", whole ? 64 : 12, id);
    if (is_type(e, "container") || is_type(e, "pod")) {
        buf_printf(&b, " (image=%s, name=%s", image ? image : "", name ? name : "");
        add_attributes(e, &b);
        buf_add_char(&b, ')');
    } else if (name) {
        buf_printf(&b, " %s", name);
    }
    return buf_take(&b);
}
