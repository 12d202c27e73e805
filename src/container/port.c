#include "container/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/strv.h"

enum { PORT_MAX = 65535, CHOICES = 64 };

static const struct protocol {
    const char *name;
    int type, number;
} protocols[] = {
    {"tcp", SOCK_STREAM, IPPROTO_TCP},
    {"udp", SOCK_DGRAM, IPPROTO_UDP},
    {"sctp", SOCK_STREAM, IPPROTO_SCTP},
};

static const struct protocol *protocol_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return NULL;
}

/* ---- reading ---- */

static int bad(struct error *err, const char *spec, const char *why)
{
    return error_kind_set(err, ERROR_USAGE, "invalid port mapping \"%s\": %s", spec, why);
}

/* "80" or "80-82". */
static bool parse_range(const char *text, unsigned *first, unsigned *count)
{
    char *end;
    if (!*text || strspn(text, "0123456789-") != strlen(text) || *text == '-')
        return false;
    unsigned long a = strtoul(text, &end, 10), b = a;
    if (*end == '-' && end[1])
        b = strtoul(end + 1, &end, 10);
    if (*end || a < 1 || a > PORT_MAX || b < a || b > PORT_MAX)
        return false;
    *first = (unsigned)a;
    *count = (unsigned)(b - a + 1);
    return true;
}

static socklen_t make_address(const char *ip, unsigned port, struct sockaddr_storage *ret)
{
    struct sockaddr_in *in = (void *)ret;
    struct sockaddr_in6 *in6 = (void *)ret;
    *ret = (struct sockaddr_storage){0};
    if (!*ip || inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        return sizeof(*in);
    }
    if (inet_pton(AF_INET6, ip, &in6->sin6_addr) != 1)
        return 0;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    return sizeof(*in6);
}

/* A socket at that port, or -errno. */
static int take_port(const struct protocol *p, const char *ip, unsigned port)
{
    struct sockaddr_storage at;
    socklen_t size = make_address(ip, port, &at);
    int yes = 1;
    _cleanup_close_ int fd = socket(at.ss_family, p->type | SOCK_CLOEXEC, p->number);
    if (fd < 0)
        return -errno;
    if (p->type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&at, size) < 0 || (p->type == SOCK_STREAM && listen(fd, 1) < 0))
        return -errno;
    return take_fd(fd);
}

static bool all_free(const struct protocol *p, const char *ip, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        _cleanup_close_ int fd = take_port(p, ip, first + i);
        if (fd < 0)
            return false;
    }
    return true;
}

/* The kernel knows which port is free; the ones behind it are tried. 0: none found. */
static unsigned choose_host_port(const struct protocol *p, const char *ip, unsigned count)
{
    for (int i = 0; i < CHOICES; i++) {
        struct sockaddr_storage at = {0};
        socklen_t size = sizeof(at);
        _cleanup_close_ int fd = take_port(p, ip, 0);
        if (fd < 0 || getsockname(fd, (struct sockaddr *)&at, &size) < 0)
            return 0;
        unsigned port = ntohs(((struct sockaddr_in *)&at)->sin_port); /* in6's is there too */
        close(take_fd(fd));
        if (port + count - 1 <= PORT_MAX && all_free(p, ip, port, count))
            return port;
    }
    return 0;
}

/* Cuts "[IP:]" off; *ret_ip is "" without one. Returns the rest, NULL for a bad address. */
static const char *cut_ip(const char *spec, char **ret_ip)
{
    struct sockaddr_storage ignored;
    const char *close_bracket = *spec == '[' ? strchr(spec, ']') : NULL;
    const char *first = close_bracket ? close_bracket + 1 : strchr(spec, ':');
    if (!close_bracket && (!first || !strchr(first + 1, ':'))) {
        *ret_ip = xstrdup("");
        return spec;
    }
    *ret_ip = close_bracket ? xstrndup(spec + 1, (size_t)(close_bracket - spec - 1))
                            : xstrndup(spec, (size_t)(first - spec));
    return *first == ':' && make_address(*ret_ip, 1, &ignored) ? first + 1 : NULL;
}

static struct json *make_mapping(const char *ip, unsigned host, unsigned container, unsigned count,
                                 const char *protocol)
{
    struct json *o = js_object();
    js_set(o, "host_ip", js_string(ip));
    js_set(o, "container_port", js_int(container));
    js_set(o, "host_port", js_int(host));
    js_set(o, "range", js_int(count));
    js_set(o, "protocol", js_string(protocol));
    return o;
}

static int parse_one(const char *spec, struct json *list, struct error *err)
{
    _cleanup_free_ char *body = xstrndup(spec, strcspn(spec, "/"));
    const char *slash = strchr(spec, '/');
    const struct protocol *p = protocol_find(slash ? slash + 1 : "tcp");
    _cleanup_free_ char *ip = NULL;
    const char *rest = cut_ip(body, &ip);
    unsigned host = 0, host_count = 0, container, count;
    if (!p)
        return bad(err, spec, "the protocol must be tcp, udp or sctp");
    if (!rest)
        return bad(err, spec, "the host's address is not one");
    const char *colon = strchr(rest, ':');
    _cleanup_free_ char *host_text = colon ? xstrndup(rest, (size_t)(colon - rest)) : xstrdup("");
    if (!parse_range(colon ? colon + 1 : rest, &container, &count))
        return bad(err, spec, "the container's port must be a number from 1 to 65535, or a range");
    if (*host_text && !parse_range(host_text, &host, &host_count))
        return bad(err, spec, "the host's port must be a number from 1 to 65535, or a range");
    if (*host_text && host_count != count)
        return bad(err, spec, "the two ranges must be of the same length");
    if (!host)
        host = choose_host_port(p, ip, count);
    if (!host)
        return bad(err, spec, "no port is free");
    js_push(list, make_mapping(ip, host, container, count, p->name));
    return 0;
}

int ports_parse(char *const *specs, struct json **ret, struct error *err)
{
    _cleanup_json_ struct json *list = js_array();
    STRV_FOREACH(spec, specs)
    {
        int r = parse_one(*spec, list, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(list);
    return 0;
}

struct mapping {
    const char *ip, *protocol;
    int64_t host, container, count;
};

static struct mapping mapping_at(const struct json *list, size_t i)
{
    const struct json *o = js_at(list, i);
    const char *ip = js_get_string(o, "host_ip"), *protocol = js_get_string(o, "protocol");
    int64_t count = js_get_int(o, "range", 1);
    return (struct mapping){
        .ip = ip ? ip : "",
        .protocol = protocol && *protocol ? protocol : "tcp",
        .host = js_get_int(o, "host_port", 0),
        .container = js_get_int(o, "container_port", 0),
        .count = count > 0 ? count : 1,
    };
}

static bool is_mapped(const struct json *list, const struct mapping *wanted)
{
    JSON_FOREACH(list, i)
    {
        struct mapping m = mapping_at(list, i);
        if (strcmp(m.protocol, wanted->protocol) == 0 && wanted->container >= m.container &&
            wanted->container < m.container + m.count)
            return true;
    }
    return false;
}

int ports_add_exposed(struct json *list, char *const *exposed, struct error *err)
{
    STRV_FOREACH(spec, exposed)
    {
        _cleanup_json_ struct json *one = js_array();
        int r = parse_one(*spec, one, err);
        if (r < 0)
            return r;
        struct mapping m = mapping_at(one, 0);
        if (!is_mapped(list, &m))
            js_push(list, js_ref(js_at(one, 0)));
    }
    return 0;
}

/* ---- showing ---- */

static void add_range(struct buf *b, int64_t first, int64_t count)
{
    buf_printf(b, "%lld", (long long)first);
    if (count > 1)
        buf_printf(b, "-%lld", (long long)(first + count - 1));
}

char *ports_text(const struct json *list)
{
    struct buf b = {0};
    buf_add_string(&b, "");
    JSON_FOREACH(list, i)
    {
        struct mapping m = mapping_at(list, i);
        buf_printf(&b, "%s%s:", i ? ", " : "", *m.ip ? m.ip : "0.0.0.0");
        add_range(&b, m.host, m.count);
        buf_add_string(&b, "->");
        add_range(&b, m.container, m.count);
        buf_printf(&b, "/%s", m.protocol);
    }
    return buf_take(&b);
}

struct json *ports_bindings(const struct json *list)
{
    struct json *all = js_object();
    JSON_FOREACH(list, i)
    {
        struct mapping m = mapping_at(list, i);
        for (int64_t k = 0; k < m.count; k++) {
            _cleanup_free_ char *key =
                xasprintf("%lld/%s", (long long)(m.container + k), m.protocol);
            _cleanup_free_ char *host = xasprintf("%lld", (long long)(m.host + k));
            struct json *one = js_object();
            js_set(one, "HostIp", js_string(m.ip));
            js_set(one, "HostPort", js_string(host));
            if (!js_get(all, key))
                js_set(all, key, js_array());
            js_push(js_get(all, key), one);
        }
    }
    return all;
}

/* ---- holding ---- */

static int refuse(const struct mapping *m, int64_t port, int code, struct error *err)
{
    char text[128];
    bool stream = strcmp(m->protocol, "udp") != 0;
    _cleanup_free_ char *upper = xstrdup(m->protocol);
    for (char *c = upper; *c; c++)
        *c = (char)(*c - 'a' + 'A');
    error_kind_set(
        err, ERROR_CANNOT_INVOKE, "cannot listen on the %s port: listen %s%s %s:%lld: bind: %s%s",
        upper, m->protocol, strchr(m->ip, ':') ? "6" : "4", *m->ip ? m->ip : "", (long long)port,
        errno_text(code, text, sizeof(text)),
        code == EACCES && stream ? " (root can lower net.ipv4.ip_unprivileged_port_start)" : "");
    return -code;
}

int ports_reserve(const struct json *list, struct port_sockets *ret, struct error *err)
{
    JSON_FOREACH(list, i)
    {
        struct mapping m = mapping_at(list, i);
        const struct protocol *p = protocol_find(m.protocol);
        for (int64_t k = 0; p && k < m.count; k++) {
            int fd = take_port(p, m.ip, (unsigned)(m.host + k));
            if (fd == -EPROTONOSUPPORT || fd == -ESOCKTNOSUPPORT)
                continue; /* sctp without its module: nobody else can have it either */
            if (fd < 0)
                return refuse(&m, m.host + k, -fd, err);
            array_reserve(ret->fds, ret->count, ret->room);
            ret->fds[ret->count++] = fd;
        }
    }
    return 0;
}

void port_sockets_close(struct port_sockets *s)
{
    for (size_t i = 0; i < s->count; i++)
        close(s->fds[i]);
    free(s->fds);
    *s = (struct port_sockets){0};
}
