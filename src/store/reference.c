#include "store/reference.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/strv.h"
#include "store/registries-conf.h"

#define REPOSITORY_MAX 255
#define TAG_MAX        128

static int invalid(struct error *err)
{
    return error_kind_set(err, ERROR_USAGE, "invalid reference format");
}

static bool lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool letter_or_digit(char c)
{
    return lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

/* One of ".", "_", "__" or any number of "-". */
static size_t separator_length(const char *s)
{
    if (*s == '-')
        return strspn(s, "-");
    return *s == '.' ? 1 : strspn(s, "_") <= 2 ? strspn(s, "_") : 0;
}

static bool path_valid(const char *s)
{
    for (;;) {
        if (!lower_or_digit(*s))
            return false;
        while (lower_or_digit(*s))
            s++;
        if (*s == '\0')
            return true;
        size_t n = *s == '/' ? 1 : separator_length(s);
        if (n == 0)
            return false;
        s += n;
    }
}

/* Host names and IPv4 addresses, and "[...]" for IPv6, with an optional port. */
static bool domain_valid(const char *s)
{
    if (*s == '[') {
        size_t n = strspn(s + 1, "0123456789abcdefABCDEF:");
        s += 1 + n;
        if (n == 0 || *s++ != ']')
            return false;
    }
    for (; *s && *s != ':'; s += *s == '.') {
        const char *start = s;
        while (letter_or_digit(*s) || *s == '-')
            s++;
        if (s == start || *start == '-' || s[-1] == '-' || (*s && !strchr(".:", *s)) ||
            (*s == '.' && !s[1]))
            return false;
    }
    return *s == '\0' || (s[1] && s[1 + strspn(s + 1, "0123456789")] == '\0');
}

static bool tag_valid(const char *s)
{
    size_t n = 0;
    while (letter_or_digit(s[n]) || s[n] == '_' || (n && (s[n] == '.' || s[n] == '-')))
        n++;
    return n && n <= TAG_MAX && s[n] == '\0';
}

/* The first part is a domain when it could not be a path: it has a dot, a port, capitals, or is
 * "localhost". */
static bool looks_like_domain(const char *s, size_t n)
{
    if (n == strlen("localhost") && strncmp(s, "localhost", n) == 0)
        return true;
    for (size_t i = 0; i < n; i++)
        if (s[i] == '.' || s[i] == ':' || isupper((unsigned char)s[i]))
            return true;
    return false;
}

static bool has_upper(const char *s)
{
    while (*s && !isupper((unsigned char)*s))
        s++;
    return *s;
}

static int check(const struct reference *r, struct error *err)
{
    if (has_upper(r->path))
        return error_kind_set(err, ERROR_USAGE, "repository name must be lowercase");
    if (!path_valid(r->path) || (r->domain && !domain_valid(r->domain)))
        return invalid(err);
    if ((r->tag && !tag_valid(r->tag)) || (r->digest && !digest_hex_part(r->digest)))
        return invalid(err);
    if (strlen(r->path) + (r->domain ? strlen(r->domain) + 1 : 0) > REPOSITORY_MAX)
        return error_kind_set(err, ERROR_USAGE,
                              "repository name must not be more than %d characters",
                              REPOSITORY_MAX);
    if (!r->domain && is_sha256_hex(r->path))
        return error_kind_set(err, ERROR_USAGE,
                              "invalid repository name (%s), cannot specify 64-byte hexadecimal "
                              "strings",
                              r->path);
    return 0;
}

int reference_parse(const char *text, struct reference *ret, struct error *err)
{
    _cleanup_reference_ struct reference r = {0};
    _cleanup_free_ char *name = xstrdup(text);
    char *digest = strchr(name, '@');
    if (digest) {
        *digest++ = '\0';
        r.digest = xstrdup(digest);
    }
    char *slash = strrchr(name, '/');
    char *colon = strchr(slash ? slash : name, ':');
    if (colon) {
        *colon++ = '\0';
        r.tag = xstrdup(colon);
    }
    size_t first = strcspn(name, "/");
    const char *path = name;
    if (name[first] && looks_like_domain(name, first)) {
        r.domain = xstrndup(name, first);
        path = name + first + 1;
    }
    r.path = xstrdup(path);
    int e = check(&r, err);
    if (e < 0)
        return e;
    *ret = r;
    r = (struct reference){0};
    return 0;
}

void reference_free(struct reference *r)
{
    free(r->domain);
    free(r->path);
    free(r->tag);
    free(r->digest);
}

char *reference_repository(const struct reference *r)
{
    return r->domain ? xasprintf("%s/%s", r->domain, r->path) : xstrdup(r->path);
}

char *reference_string(const struct reference *r)
{
    _cleanup_free_ char *repository = reference_repository(r);
    return xasprintf("%s%s%s%s%s", repository, r->tag ? ":" : "", r->tag ? r->tag : "",
                     r->digest ? "@" : "", r->digest ? r->digest : "");
}

/* A digest says more than a tag beside it; nothing said means "latest". */
static int complete(struct reference *r, struct error *err)
{
    if (string_equal(r->domain, "index.docker.io")) {
        free(r->domain);
        r->domain = xstrdup("docker.io");
    }
    if (string_equal(r->domain, "docker.io") && !strchr(r->path, '/')) {
        _cleanup_free_ char *old = r->path;
        r->path = xasprintf("library/%s", old);
    }
    if (r->digest)
        free(take_ptr(r->tag));
    else if (!r->tag)
        r->tag = xstrdup("latest");
    return check(r, err); /* it has become longer */
}

/* `r` under the repository "domain/path" or, below a bare domain, with its own path. */
static int under(const struct reference *r, const char *repository, bool whole, char ***list,
                 struct error *err)
{
    _cleanup_free_ char *text =
        whole ? xstrdup(repository) : xasprintf("%s/%s", repository, r->path);
    _cleanup_reference_ struct reference full = {0};
    int e = reference_parse(text, &full, err);
    if (e < 0)
        return error_wrap(err, "%s", text);
    if (!full.tag)
        full.tag = xstrdup_null(r->tag);
    if (!full.digest)
        full.digest = xstrdup_null(r->digest);
    e = complete(&full, err);
    if (e >= 0)
        strv_take(list, reference_string(&full));
    return e;
}

int reference_normalize(const char *text, char **ret, struct error *err)
{
    _cleanup_reference_ struct reference r = {0};
    int e = reference_parse(text, &r, err);
    if (e < 0)
        return e;
    if (!r.domain)
        r.domain = xstrdup("localhost");
    e = complete(&r, err);
    if (e >= 0)
        *ret = reference_string(&r);
    return e;
}

static int full_only(struct reference *r, char ***ret, struct error *err)
{
    int e = complete(r, err);
    if (e >= 0)
        strv_take(ret, reference_string(r));
    return e;
}

int reference_local_candidates(const char *text, char ***ret, struct error *err)
{
    _cleanup_reference_ struct reference r = {0};
    _cleanup_strv_ char **list = NULL;
    int e = reference_parse(text, &r, err);
    if (e < 0)
        return e;
    if (r.domain) {
        *ret = NULL;
        return full_only(&r, ret, err);
    }
    _cleanup_registries_conf_ struct registries_conf c = {0};
    e = registries_conf_load(&c, err);
    const struct registries_alias *alias = e < 0 ? NULL : registries_conf_alias(&c, r.path);
    if (e >= 0 && alias)
        e = under(&r, alias->full, true, &list, err);
    if (e >= 0)
        e = under(&r, "localhost", false, &list, err);
    STRV_FOREACH(registry, c.search)
    if (e >= 0)
        e = under(&r, *registry, false, &list, err);
    if (e < 0)
        return e;
    *ret = take_ptr(list);
    return 0;
}

static int pull_short(const struct reference *r, char ***list, char **note, struct error *err)
{
    _cleanup_registries_conf_ struct registries_conf c = {0};
    int e = registries_conf_load(&c, err);
    if (e < 0)
        return e;
    const struct registries_alias *alias = registries_conf_alias(&c, r->path);
    if (alias) {
        *note = xasprintf("Resolved \"%s\" as an alias (%s)", r->path, alias->file);
        return under(r, alias->full, true, list, err);
    }
    if (!c.search || !c.search[0])
        return error_kind_set(err, ERROR_GENERIC,
                              "short-name \"%s\" did not resolve to an alias and no "
                              "unqualified-search registries are defined in \"%s\"",
                              r->path, c.path);
    *note = xasprintf("Resolving \"%s\" using unqualified-search registries (%s)", r->path, c.path);
    STRV_FOREACH(registry, c.search)
    if (e >= 0)
        e = under(r, *registry, false, list, err);
    return e;
}

int reference_pull_candidates(const char *text, char ***ret, char **ret_note, struct error *err)
{
    _cleanup_reference_ struct reference r = {0};
    _cleanup_strv_ char **list = NULL;
    _cleanup_free_ char *note = NULL;
    int e = reference_parse(text, &r, err);
    if (e >= 0)
        e = r.domain ? full_only(&r, &list, err) : pull_short(&r, &list, &note, err);
    if (e < 0)
        return e;
    *ret = take_ptr(list);
    *ret_note = take_ptr(note);
    return 0;
}
