/* Images: where they come from and go to. */
#include <string.h>
#include <unistd.h>

#include "api/auth.h"
#include "api/routes.h"
#include "base/alloc.h"
#include "base/strv.h"
#include "container/firn.h"
#include "store/image.h"
#include "store/import.h"
#include "store/load.h"
#include "store/registry.h"
#include "store/save.h"

/* ---- progress ---- */

/* Lines of JSON while it lasts: {"stream": "..."} to Podman's clients, {"status": "..."} to
 * Docker's. */
struct telling {
    struct reply *reply;
    bool libpod, quiet;
};

static void tell(const struct telling *t, const char *key, const char *text, bool newline)
{
    _cleanup_json_ struct json *o = js_object();
    _cleanup_free_ char *line = xasprintf("%s%s", text, newline ? "\n" : "");
    js_set(o, key, js_string(line));
    reply_line(t->reply, o, NULL);
}

static void on_line(void *context, const char *text)
{
    const struct telling *t = context;
    if (!t->quiet)
        tell(t, t->libpod ? "stream" : "status", text, t->libpod);
}

/* The head was sent long ago: failures are lines too. */
static int tell_error(const struct telling *t, const struct error *why)
{
    _cleanup_json_ struct json *o = js_object(), *detail = js_object();
    js_set(detail, "message", js_string(why->text));
    if (!t->libpod)
        js_set(o, "errorDetail", js_ref(detail));
    js_set(o, "error", js_string(why->text));
    return reply_line(t->reply, o, NULL);
}

/* ---- pull ---- */

struct pull_query {
    bool all_tags, quiet, tls_verify;
    char *reference, *policy, *arch, *os, *variant, *authfile, *username, *password;
};
#define PULL(member) offsetof(struct pull_query, member)
static const struct option pull_query[] = {
    {"allTags", 0, OPTION_BOOL, PULL(all_tags)},
    {"arch", 0, OPTION_STRING, PULL(arch)},
    {"authfile", 0, OPTION_STRING, PULL(authfile)},
    {"OS", 0, OPTION_STRING, PULL(os)},
    {"username", 0, OPTION_STRING, PULL(username)},
    {"password", 0, OPTION_STRING, PULL(password)},
    {"policy", 0, OPTION_STRING, PULL(policy), .initial = "always"},
    {"quiet", 0, OPTION_BOOL, PULL(quiet)},
    {"reference", 0, OPTION_STRING, PULL(reference)},
    {"tlsVerify", 0, OPTION_BOOL, PULL(tls_verify)},
    {"variant", 0, OPTION_STRING, PULL(variant)},
    {"compatMode", 0, OPTION_UNSUPPORTED, 0},
    {0},
};

static enum registry_tls tls(const struct request *r, bool verify)
{
    return !request_given(r, "tlsverify") ? REGISTRY_TLS_DEFAULT
           : verify                       ? REGISTRY_TLS_VERIFY
                                          : REGISTRY_TLS_SKIP;
}

static int credentials(const struct request *r, const char *user, const char *password, char **ret,
                       struct error *err)
{
    int e = auth_read(r, ret, err);
    if (e >= 0 && !*ret && user)
        *ret = xasprintf("%s:%s", user, password ? password : "");
    return e;
}

static int pull_libpod(struct request *r, struct reply *reply, struct error *err)
{
    const struct pull_query *q = r->options;
    struct telling t = {.reply = reply, .libpod = true, .quiet = q->quiet};
    _cleanup_free_ char *creds = NULL;
    _cleanup_image_ struct image *image = NULL;
    int e = credentials(r, q->username, q->password, &creds, err);
    if (e >= 0 && !q->reference)
        e = error_kind_set(err, ERROR_USAGE, "reference parameter cannot be empty");
    if (e >= 0)
        e = reply_stream(reply, 200, "application/json", err);
    if (e < 0)
        return e;
    const struct registry_options o = {
        .tls = tls(r, q->tls_verify),
        .creds = creds,
        .arch = q->arch,
        .os = q->os,
        .variant = q->variant,
        .all_tags = q->all_tags,
        .progress = {on_line, &t},
    };
    struct error why = {0};
    if (registry_ensure(r->firn->store, q->reference, q->policy, &o, &image, &why) < 0)
        return tell_error(&t, &why);
    _cleanup_json_ struct json *result = js_object();
    js_set(result, "images", js_strings((char *const[]){image->id, NULL}));
    js_set(result, "id", js_string(image->id));
    return reply_line(reply, result, err);
}

struct create_query {
    char *image, *source, *tag, *repo, *message, *platform, *input;
    char **changes;
};
#define CREATE(member) offsetof(struct create_query, member)
static const struct option create_query[] = {
    {"fromImage", 0, OPTION_STRING, CREATE(image)},
    {"fromSrc", 0, OPTION_STRING, CREATE(source)},
    {"tag", 0, OPTION_STRING, CREATE(tag)},
    {"repo", 0, OPTION_STRING, CREATE(repo)},
    {"message", 0, OPTION_STRING, CREATE(message)},
    {"changes", 0, OPTION_STRINGS, CREATE(changes)},
    {"platform", 0, OPTION_STRING, CREATE(platform)},
    {"inputImage", 0, OPTION_UNSUPPORTED, 0, "string"},
    {0},
};

static char *with_tag(const char *name, const char *tag)
{
    if (!tag)
        return xstrdup(name);
    return xasprintf(strchr(tag, ':') ? "%s@%s" : "%s:%s", name, tag);
}

static void split_platform(char **parts, struct registry_options *o)
{
    size_t count = strv_length(parts);
    o->os = count > 0 && *parts[0] ? parts[0] : NULL;
    o->arch = count > 1 ? parts[1] : NULL;
    o->variant = count > 2 ? parts[2] : NULL;
}

static int pull_docker(struct request *r, const struct create_query *q, struct reply *reply,
                       struct error *err)
{
    struct telling t = {.reply = reply};
    struct error why = {0};
    _cleanup_image_ struct image *image = NULL;
    _cleanup_free_ char *creds = NULL, *name = with_tag(q->image, q->tag);
    _cleanup_strv_ char **platform = q->platform ? strv_split(q->platform, '/') : NULL;
    int e = auth_read(r, &creds, err);
    if (e >= 0)
        e = reply_stream(reply, 200, "application/json", err);
    if (e < 0)
        return e;
    struct registry_options o = {.creds = creds, .progress = {on_line, &t}};
    split_platform(platform, &o);
    if (registry_ensure(r->firn->store, name, "always", &o, &image, &why) < 0)
        return tell_error(&t, &why);
    _cleanup_free_ char *last = xasprintf("Status: Downloaded newer image for %s", name);
    tell(&t, "status", last, false);
    return 0;
}

static int import_docker(struct request *r, const struct create_query *q, struct reply *reply,
                         struct error *err)
{
    struct telling t = {.reply = reply};
    struct error why = {0};
    _cleanup_image_ struct image *image = NULL;
    _cleanup_free_ char *name = q->repo ? with_tag(q->repo, q->tag) : NULL;
    const struct import_options o = {
        .source = "-",
        .name = name,
        .changes = q->changes,
        .message = q->message,
        .progress = {on_line, &t},
    };
    int e = reply_stream(reply, 200, "application/json", err);
    if (e < 0)
        return e;
    if (import_image(r->firn->store, &o, &image, &why) < 0)
        return tell_error(&t, &why);
    _cleanup_free_ char *id = xasprintf("sha256:%s", image->id);
    tell(&t, "status", id, false);
    return 0;
}

static int create_docker(struct request *r, struct reply *reply, struct error *err)
{
    const struct create_query *q = r->options;
    if (q->image)
        return pull_docker(r, q, reply, err);
    if (string_equal(q->source, "-"))
        return import_docker(r, q, reply, err);
    return error_kind_set(err, ERROR_USAGE, "fromImage, or fromSrc=- and a body, is needed");
}

/* ---- push ---- */

struct push_query {
    bool all, compress, quiet, remove_signatures, tls_verify;
    char *destination, *format, *compression, *authfile, *username, *password, *tag;
};
#define PUSH(member) offsetof(struct push_query, member)
static const struct option push_query[] = {
    {"all", 0, OPTION_BOOL, PUSH(all)},
    {"authfile", 0, OPTION_STRING, PUSH(authfile)},
    {"compress", 0, OPTION_BOOL, PUSH(compress)},
    {"compressionFormat", 0, OPTION_STRING, PUSH(compression)},
    {"destination", 0, OPTION_STRING, PUSH(destination)},
    {"format", 0, OPTION_STRING, PUSH(format)},
    {"username", 0, OPTION_STRING, PUSH(username)},
    {"password", 0, OPTION_STRING, PUSH(password)},
    {"quiet", 0, OPTION_BOOL, PUSH(quiet)},
    {"removeSignatures", 0, OPTION_BOOL, PUSH(remove_signatures)},
    {"tag", 0, OPTION_STRING, PUSH(tag)},
    {"tlsVerify", 0, OPTION_BOOL, PUSH(tls_verify)},
    {0},
};

static int push(struct request *r, struct reply *reply, struct error *err)
{
    const struct push_query *q = r->options;
    struct telling t = {.reply = reply, .libpod = r->libpod, .quiet = q->quiet};
    struct error why = {0};
    _cleanup_image_ struct image *image = NULL;
    _cleanup_free_ char *creds = NULL, *name = with_tag(r->args[0], r->libpod ? NULL : q->tag);
    _cleanup_free_ char *found = NULL;
    int e = credentials(r, q->username, q->password, &creds, err);
    if (e >= 0)
        e = image_lookup_name(r->firn->store, name, &image, &found, err);
    if (e >= 0)
        e = reply_stream(reply, 200, "application/json", err);
    if (e < 0)
        return e;
    const struct registry_options o = {
        .tls = tls(r, q->tls_verify),
        .creds = creds,
        .format = q->format,
        .compression = q->compression,
        .progress = {on_line, &t},
    };
    e = registry_push(r->firn->store, image, found, q->destination ? q->destination : name, &o,
                      &why);
    return e < 0 ? tell_error(&t, &why) : 0;
}

/* ---- archives ---- */

struct load_query {
    bool quiet;
};
static const struct option load_query[] = {
    {"quiet", 0, OPTION_BOOL, offsetof(struct load_query, quiet)},
    {0},
};

static int load(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_strv_ char **names = NULL;
    int e = load_images(r->firn->store, &(struct load_options){0}, &names, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *o = js_object();
    _cleanup_free_ char *list = strv_join(names, "\nLoaded image: ");
    _cleanup_free_ char *text = xasprintf("Loaded image: %s\n", list ? list : "");
    if (r->libpod)
        js_set(o, "Names", js_strings(names));
    else
        js_set(o, "stream", js_string(text));
    return reply_json(reply, 200, o, err);
}

struct import_query {
    char *reference, *message, *arch, *os, *variant, *url;
    char **changes;
};
#define IMPORT(member) offsetof(struct import_query, member)
static const struct option import_query[] = {
    {"reference", 0, OPTION_STRING, IMPORT(reference)},
    {"message", 0, OPTION_STRING, IMPORT(message)},
    {"architecture", 0, OPTION_STRING, IMPORT(arch)},
    {"OS", 0, OPTION_STRING, IMPORT(os)},
    {"variant", 0, OPTION_STRING, IMPORT(variant)},
    {"url", 0, OPTION_STRING, IMPORT(url)},
    {"changes", 0, OPTION_STRINGS, IMPORT(changes)},
    {0},
};

static int import(struct request *r, struct reply *reply, struct error *err)
{
    const struct import_query *q = r->options;
    _cleanup_image_ struct image *image = NULL;
    const struct import_options o = {
        .source = q->url ? q->url : "-",
        .name = q->reference,
        .changes = q->changes,
        .message = q->message,
        .arch = q->arch,
        .os = q->os,
        .variant = q->variant,
    };
    if (q->url && !string_starts(q->url, "http://") && !string_starts(q->url, "https://"))
        return error_kind_set(err, ERROR_USAGE, "url is no http or https address: %s", q->url);
    int e = import_image(r->firn->store, &o, &image, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *result = js_object();
    _cleanup_free_ char *id = xasprintf("sha256:%s", image->id);
    js_set(result, "Id", js_string(id));
    return reply_json(reply, 200, result, err);
}

struct save_query {
    bool compress, uncompressed;
    char *format;
    char **references;
};
static const struct option save_query[] = {
    {"compress", 0, OPTION_BOOL, offsetof(struct save_query, compress)},
    {"ociAcceptUncompressedLayers", 0, OPTION_BOOL, offsetof(struct save_query, uncompressed)},
    {"format", 0, OPTION_STRING, offsetof(struct save_query, format)},
    {"references", 0, OPTION_STRINGS, offsetof(struct save_query, references), .alias = "names"},
    {0},
};

static int save_names(struct request *r, char *const *names, struct reply *reply, struct error *err)
{
    const struct save_query *q = r->options;
    const char *format = q->format ? q->format : "docker-archive";
    if (!string_equal(format, "docker-archive") && !string_equal(format, "oci-archive"))
        return error_kind_set(err, ERROR_USAGE, "unknown format \"%s\": invalid argument", format);
    const struct save_options o = {.images = names, .format = format};
    int e = reply_stream_deferred(reply, 200, "application/x-tar", err);
    return e < 0 ? e : save_images(r->firn->store, &o, err);
}

static int save(struct request *r, struct reply *reply, struct error *err)
{
    const struct save_query *q = r->options;
    if (!q->references)
        return error_kind_set(err, ERROR_USAGE, "no images to save are named");
    return save_names(r, q->references, reply, err);
}

static int save_one(struct request *r, struct reply *reply, struct error *err)
{
    return save_names(r, r->args, reply, err);
}

const struct route images_transfer_routes[] = {
    {"POST", API_LIBPOD, "/images/pull", pull_libpod, OPTIONS(pull_query, pull_query),
     ROUTE_CHANGES},
    {"POST", API_DOCKER, "/images/create", create_docker, OPTIONS(create_query, create_query),
     ROUTE_CHANGES | ROUTE_UPLOAD},
    {"POST", API_BOTH, "/images/{name...}/push", push, OPTIONS(push_query, push_query),
     ROUTE_CHANGES},
    {"POST", API_BOTH, "/images/load", load, OPTIONS(load_query, load_query),
     ROUTE_CHANGES | ROUTE_UPLOAD},
    {"POST", API_LIBPOD, "/images/import", import, OPTIONS(import_query, import_query),
     ROUTE_CHANGES | ROUTE_UPLOAD},
    {"GET", API_LIBPOD, "/images/export", save, OPTIONS(save_query, save_query)},
    {"GET", API_DOCKER, "/images/get", save, OPTIONS(save_query, save_query)},
    {"GET", API_BOTH, "/images/{name...}/get", save_one, OPTIONS(save_query, save_query)},
    {0},
};
