/* What is in a container's file system, and what else can be asked of a container. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/auth.h"
#include "api/containers.h"
#include "api/routes.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/commit.h"
#include "container/copy.h"
#include "container/diff.h"
#include "container/export.h"
#include "container/firn.h"
#include "container/rename.h"
#include "container/top.h"

static int write_body(void *context, const void *data, size_t size)
{
    return write_full(STDOUT_FILENO, data, size);
}

/* ---- archive ---- */

struct archive_query {
    char *path;
    bool chown, no_overwrite, pause;
    char *rename;
};
static const struct option archive_query[] = {
    {"path", 0, OPTION_STRING, offsetof(struct archive_query, path)},
    {"copyUIDGID", 0, OPTION_BOOL, offsetof(struct archive_query, chown)},
    {"noOverwriteDirNonDir", 0, OPTION_BOOL, offsetof(struct archive_query, no_overwrite)},
    {"pause", 0, OPTION_BOOL, offsetof(struct archive_query, pause)},
    {"rename", 0, OPTION_UNSUPPORTED, 0, "string"},
    {0},
};

/* As Go's os.FileMode has it. */
static uint32_t go_mode(mode_t mode)
{
    static const struct {
        mode_t type;
        uint32_t bits;
    } types[] = {
        {S_IFDIR, 1u << 31}, {S_IFLNK, 1u << 27},  {S_IFBLK, 1u << 26},
        {S_IFIFO, 1u << 25}, {S_IFSOCK, 1u << 24}, {S_IFCHR, 1u << 26 | 1u << 21},
    };
    uint32_t m = mode & 0777;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        m |= (mode & S_IFMT) == types[i].type ? types[i].bits : 0;
    m |= mode & S_ISUID ? 1u << 23 : 0;
    m |= mode & S_ISGID ? 1u << 22 : 0;
    return m | (mode & S_ISVTX ? 1u << 20 : 0);
}

/* Podman's clients ask for this path then. */
static char *resolved(const struct copy_side *side, const char *link)
{
    const char *slash = strrchr(side->path, '/');
    if (!*link)
        return xstrdup(side->path);
    return *link == '/'
               ? xstrdup(link)
               : xasprintf("%.*s/%s", slash ? (int)(slash - side->path) : 0, side->path, link);
}

static int send_stat(const struct request *r, const struct copy_side *side, struct reply *reply,
                     struct error *err)
{
    _cleanup_copy_stat_ struct copy_stat s = {0};
    int e = container_copy_stat(side, &s, err);
    if (e < 0)
        return e;
    _cleanup_free_ char *target = r->libpod ? resolved(side, s.link) : xstrdup(s.link);
    _cleanup_json_ struct json *o = js_object();
    _cleanup_free_ char *time = time_rfc3339(s.mtime_ns);
    _cleanup_buf_ struct buf encoded = {0};
    js_set(o, "name", js_string(s.name));
    js_set(o, "size", js_int(s.size));
    js_set(o, "mode", js_int(go_mode(s.mode)));
    js_set(o, "mtime", js_string(time));
    js_set(o, "isDir", js_bool(S_ISDIR(s.mode)));
    js_set(o, "linkTarget", js_string(target));
    _cleanup_free_ char *text = js_dump(o, 0);
    base64_encode(text, strlen(text), &encoded);
    reply_header(reply, "X-Docker-Container-Path-Stat", encoded.data);
    return 0;
}

static int open_side(struct request *r, struct copy_side *ret, struct error *err)
{
    const struct archive_query *q = r->options;
    if (!q->path)
        return error_kind_set(err, ERROR_USAGE, "missing `path` parameter");
    ret->path = q->path;
    return containers_lookup(r, &ret->c, err);
}

static void side_clear(struct copy_side *s)
{
    if (s->c)
        container_free(s->c);
}

static int archive_stat(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_(side_clear) struct copy_side side = {0};
    int e = open_side(r, &side, err);
    if (e >= 0)
        e = send_stat(r, &side, reply, err);
    return e < 0 ? e : reply_empty(reply, 200, err);
}

static int archive_get(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_(side_clear) struct copy_side side = {0};
    const struct copy_options o = {.archive = false, .pause = false};
    int e = open_side(r, &side, err);
    if (e >= 0)
        e = send_stat(r, &side, reply, err);
    if (e >= 0)
        e = reply_stream_deferred(reply, 200, "application/x-tar", err);
    return e < 0 ? e : container_copy_out(&side, &o, write_body, NULL, err);
}

static int archive_put(struct request *r, struct reply *reply, struct error *err)
{
    const struct archive_query *q = r->options;
    _cleanup_(side_clear) struct copy_side side = {0};
    const struct copy_options o = {
        .archive = q->chown, .overwrite = !q->no_overwrite, .pause = q->pause};
    int e = open_side(r, &side, err);
    if (e >= 0)
        e = container_copy_in(STDIN_FILENO, "the body of the request", &side, &o, err);
    return e < 0 ? e : reply_empty(reply, 200, err);
}

/* ---- export, changes, commit ---- */

static int export(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = reply_stream_deferred(reply, 200, "application/x-tar", err);
    return e < 0 ? e : container_export(c, write_body, NULL, err);
}

static int changes(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    _cleanup_changes_ struct changes found = {0};
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_diff(r->firn, c->id, &found, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *list = js_array();
    for (size_t i = 0; i < found.count; i++) {
        struct json *one = js_object();
        js_set(one, "Path", js_string(found.items[i].path));
        js_set(one, "Kind", js_int(found.items[i].kind));
        js_push(list, one);
    }
    return reply_json(reply, 200, list, err);
}

struct commit_query {
    char *container, *author, *comment, *format, *repo, *tag;
    bool pause, squash;
    char **changes;
};
#define COMMIT(member) offsetof(struct commit_query, member)
static const struct option commit_query[] = {
    {"container", 0, OPTION_STRING, COMMIT(container)},
    {"author", 0, OPTION_STRING, COMMIT(author)},
    {"comment", 0, OPTION_STRING, COMMIT(comment), .alias = "m"},
    {"format", 0, OPTION_STRING, COMMIT(format)},
    {"repo", 0, OPTION_STRING, COMMIT(repo)},
    {"tag", 0, OPTION_STRING, COMMIT(tag)},
    {"pause", 0, OPTION_BOOL, COMMIT(pause), .initial = "true"},
    {"squash", 0, OPTION_BOOL, COMMIT(squash)},
    {"changes", 0, OPTION_STRINGS, COMMIT(changes)},
    {0},
};

static int commit(struct request *r, struct reply *reply, struct error *err)
{
    const struct commit_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    _cleanup_image_ struct image *image = NULL;
    if (!q->container)
        return error_kind_set(err, ERROR_USAGE, "no container to commit is named");
    _cleanup_free_ char *name =
        q->repo && q->tag ? xasprintf("%s:%s", q->repo, q->tag) : xstrdup_null(q->repo);
    const struct commit_options o = {
        .name = name,
        .author = q->author,
        .message = q->comment,
        .format = q->format    ? q->format
                  : q->comment ? "docker"
                               : NULL,
        .changes = q->changes,
        /* Paused by default, where that can be done. */
        .pause = q->pause && (request_given(r, "pause") || !r->firn->rootless),
        .squash = q->squash,
    };
    int e = container_lookup(r->firn, q->container, &c, err);
    if (e >= 0)
        e = container_commit(c, &o, &image, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *result = js_object();
    _cleanup_free_ char *id = xasprintf("%s%s", r->libpod ? "" : "sha256:", image->id);
    js_set(result, "Id", js_string(id));
    return reply_json(reply, 201, result, err);
}

/* ---- rename, top ---- */

struct rename_query {
    char *name;
};
static const struct option rename_query[] = {
    {"name", 0, OPTION_STRING, offsetof(struct rename_query, name)},
    {0},
};

static int rename_it(struct request *r, struct reply *reply, struct error *err)
{
    const struct rename_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    if (!q->name)
        return error_kind_set(err, ERROR_USAGE, "no new name is given");
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_rename(c, q->name, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

struct top_query {
    char **columns;
    bool stream;
    int64_t delay;
};
static const struct option top_query[] = {
    {"ps_args", 0, OPTION_STRINGS, offsetof(struct top_query, columns)},
    {"stream", 0, OPTION_BOOL, offsetof(struct top_query, stream)},
    {"delay", 0, OPTION_INT, offsetof(struct top_query, delay), .initial = "5"},
    {0},
};

static int top(struct request *r, struct reply *reply, struct error *err)
{
    const struct top_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    _cleanup_strv_ char **columns = strv_copy(q->columns);
    _cleanup_json_ struct json *o = NULL;
    if (!r->libpod && !strv_length(columns))
        strv_add(&columns, "-ef");
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_top(c, columns, &o, err);
    if (e < 0 || !q->stream)
        return e < 0 ? e : reply_json(reply, 200, o, err);
    e = reply_stream(reply, 200, "application/json", err);
    while (e >= 0 && (e = reply_line(reply, o, err)) >= 0) {
        sleep(q->delay > 0 ? (unsigned)q->delay : 1);
        js_unref(take_ptr(o));
        if (container_top(c, columns, &o, NULL) < 0)
            return 0; /* it has ended */
    }
    return e;
}

const struct route containers_files_routes[] = {
    {"HEAD", API_BOTH, "/containers/{name}/archive", archive_stat,
     OPTIONS(archive_query, archive_query)},
    {"GET", API_BOTH, "/containers/{name}/archive", archive_get,
     OPTIONS(archive_query, archive_query)},
    {"PUT", API_BOTH, "/containers/{name}/archive", archive_put,
     OPTIONS(archive_query, archive_query), ROUTE_CHANGES | ROUTE_UPLOAD},
    {"GET", API_BOTH, "/containers/{name}/export", export},
    {"GET", API_BOTH, "/containers/{name}/changes", changes},
    {"POST", API_BOTH, "/commit", commit, OPTIONS(commit_query, commit_query), ROUTE_CHANGES},
    {"POST", API_BOTH, "/containers/{name}/rename", rename_it, OPTIONS(rename_query, rename_query),
     ROUTE_CHANGES},
    {"GET", API_BOTH, "/containers/{name}/top", top, OPTIONS(top_query, top_query), ROUTE_CANCEL},
    {"POST", API_BOTH, "/containers/{name}/update", route_unsupported},
    {"GET", API_LIBPOD, "/containers/{name}/healthcheck", route_unsupported},
    {0},
};
